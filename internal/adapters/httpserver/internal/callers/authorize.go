package callers

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Check returns access.ErrForbidden if the caller lacks what a route needs. gameID is the game of
// its path, empty for none. A requirement of an unknown kind is that of RequireAll.
func (c Caller) Check(ctx context.Context, requirement Requirement, gameID string, records Records) error {
	permission := requirement.Permission
	switch requirement.Kind {
	case RequireNothing, RequireIdentity:
		return nil
	case RequireGame:
		return c.CheckGame(ctx, permission, gameID, records)
	case RequireSome:
		if c.Rights.AllowsSome(permission) {
			return nil
		}
		return c.Forbidden(permission, "")
	default:
		if c.Rights.AllowsAll(permission) {
			return nil
		}
		return c.Forbidden(permission, "every game")
	}
}

// CheckGame checks the permission for a game in the region of its record. A game without a
// record has no region yet: the handler that creates it checks the new one by CheckPlacement.
// Only a caller whose permission is restricted to regions costs a read of the record.
func (c Caller) CheckGame(ctx context.Context, permission access.Permission, gameID string, records Records) error {
	inSome, inEvery := c.Rights.AllowsGame(permission, gameID)
	switch {
	case !inSome:
		return c.Forbidden(permission, "game "+gameID)
	case inEvery:
		return nil
	}
	found, err := records.GetVersioned(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return nil
	case err != nil:
		return err
	}
	return c.CheckPlacement(permission, found.Record.Region, gameID)
}

// CheckPlacement returns access.ErrForbidden unless the caller has the permission for the game
// in the region.
func (c Caller) CheckPlacement(permission access.Permission, region, gameID string) error {
	if c.Rights.Allows(permission, region, gameID) {
		return nil
	}
	return c.Forbidden(permission, "game "+gameID+" in region "+region)
}

// Visible returns the games that the caller may read, nil for every game.
func (c Caller) Visible() *access.Visibility { return c.Rights.Visibility(access.PermissionRead) }

// CanReadRegion reports whether the caller may read some game of the region.
func (c Caller) CanReadRegion(region string) bool {
	forSome, _ := c.Rights.AllowsRegion(access.PermissionRead, region)
	return forSome
}

// Forbidden returns the error of a caller that lacks a permission.
func (c Caller) Forbidden(permission access.Permission, what string) error {
	return &access.ForbiddenError{Subject: c.Identity.Subject, Permission: permission, What: what}
}

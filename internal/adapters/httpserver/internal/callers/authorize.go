package callers

import (
	"context"
	"errors"
	"strings"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Check returns access.ErrForbidden if the caller lacks what a route needs. gameID is the game of
// its path, empty for none. A requirement of an unknown kind is that of RequireAll. For a game it
// returns the caller as CheckGame does.
func (c Caller) Check(ctx context.Context, requirement Requirement, gameID string, games Games) (Caller, error) {
	permission := requirement.Permission
	switch requirement.Kind {
	case RequireNothing, RequireIdentity:
		return c, nil
	case RequireGame:
		return c.CheckGame(ctx, permission, gameID, games)
	case RequireSome:
		if c.Rights.AllowsSome(permission) {
			return c, nil
		}
		return c, c.Forbidden(permission, "")
	default:
		if c.Rights.AllowsAll(permission) {
			return c, nil
		}
		return c, c.Forbidden(permission, "every game")
	}
}

// CheckGame checks the permission for a game in the region of its record and with its labels, and
// returns the caller with its rights for these labels. A game without a record has no region yet,
// and the labels of its latest start: the handler that creates it checks the new ones by
// ForLabels and CheckPlacement. Only a caller whose permission is restricted to regions or labels
// costs a read of the record.
func (c Caller) CheckGame(ctx context.Context, permission access.Permission, gameID string, games Games) (Caller, error) {
	inSome, inEvery := c.Rights.AllowsGame(permission, gameID)
	switch {
	case !inSome:
		return c, c.Forbidden(permission, "game "+gameID)
	case inEvery:
		return c, nil
	}
	found, err := games.GetVersioned(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound) && len(c.Rights.LabelLimits(permission)) == 0:
		return c, nil
	case errors.Is(err, runtime.ErrNotFound):
		labels, err := games.LabelsWithoutRecord(ctx, gameID)
		return c.ForLabels(labels), err
	case err != nil:
		return c, err
	}
	c = c.ForLabels(found.Record.Labels)
	return c, c.CheckPlacement(permission, found.Record.Region, gameID)
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
func (c Caller) Visible() *access.Visibility { return c.Granted().Visibility(access.PermissionRead) }

// CanReadRegion reports whether the caller may read some game of the region.
func (c Caller) CanReadRegion(region string) bool {
	forSome, _ := c.Rights.AllowsRegion(access.PermissionRead, region)
	return forSome
}

// Forbidden returns the error of a caller that lacks a permission.
func (c Caller) Forbidden(permission access.Permission, what string) error {
	if limits := c.Granted().LabelLimits(permission); len(limits) > 0 {
		what = strings.TrimSpace(what + " (granted for games with the labels " + strings.Join(limits, " or ") + ")")
	}
	return &access.ForbiddenError{Subject: c.Identity.Subject, Permission: permission, What: what}
}

package httpserver

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// authorizedGames implements callers.Games.
type authorizedGames struct {
	Store

	intents Intents
}

// LabelsWithoutRecord implements callers.Games.
func (g authorizedGames) LabelsWithoutRecord(ctx context.Context, gameID string) (map[string]string, error) {
	if g.intents == nil {
		return nil, nil
	}
	stored, err := g.intents.GetIntent(ctx, gameID)
	return stored.Intent.Labels, err
}

func (s *Server) games() callers.Games { return authorizedGames{s.store, s.cfg.Intents} }

// callerFor returns the caller with its rights for the labels that the game has now. Only a
// caller whose roles are limited to labels costs a read.
func (s *Server) callerFor(ctx context.Context, c callers.Caller, permission access.Permission, gameID string) (callers.Caller, error) {
	if len(c.Granted().LabelLimits(permission)) == 0 {
		return c, nil
	}
	found, err := s.store.GetVersioned(ctx, gameID)
	labels := found.Record.Labels
	if errors.Is(err, runtime.ErrNotFound) {
		labels, err = s.games().LabelsWithoutRecord(ctx, gameID)
	}
	return c.ForLabels(labels), err
}

// checkGameIn returns access.ErrForbidden unless the caller of the request has the permission for
// the game in the region, with the labels that the game has now.
func (s *Server) checkGameIn(ctx context.Context, permission access.Permission, region, gameID string) error {
	c, err := s.callerFor(ctx, callers.Of(ctx), permission, gameID)
	if err != nil {
		return err
	}
	return c.CheckPlacement(permission, region, gameID)
}

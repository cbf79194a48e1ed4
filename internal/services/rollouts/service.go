// Package rollouts starts, pauses, resumes, undoes and deletes rollouts. Worker rollout carries
// them out.
//
//	service.go  Service: reads, and actions on one rollout
//	start.go    the games of a new rollout
package rollouts

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/ports"
)

// Dependencies are the parts that a Service uses. All are required.
type Dependencies struct {
	Store   ports.RolloutStore
	Records Records
}

// Records lists records in pages.
type Records interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// Config tunes a Service.
type Config struct {
	// Clock returns the times of rollouts. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per change; nil discards them.
	Logger *slog.Logger
}

// Service starts and changes rollouts. It is safe for concurrent use.
type Service struct {
	deps Dependencies
	cfg  Config
}

// New returns a service. It starts no goroutines.
func New(deps Dependencies, cfg Config) *Service {
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{deps: deps, cfg: cfg}
}

// now is the time of a change, as it is stored.
func (s *Service) now() time.Time { return s.cfg.Clock().UTC().Truncate(time.Millisecond) }

// List returns all rollouts, the oldest first.
func (s *Service) List(ctx context.Context) ([]rollout.Rollout, error) {
	return s.deps.Store.Rollouts(ctx)
}

// Get returns a rollout with its games, ordered by game id. It returns rollout.ErrNotFound for an
// unknown id.
func (s *Service) Get(ctx context.Context, id string) (rollout.Rollout, []rollout.Game, error) {
	return s.deps.Store.Rollout(ctx, id)
}

// Change carries out the action on a rollout, and returns the rollout after it. An action whose
// result the rollout has already changes nothing. It returns rollout.ErrNotFound for an unknown
// id, rollout.ErrState if the state does not allow the action, rollout.ErrOverlap for an action that continues a
// rollout which has ended while a game of it is part of another one, and the errors of the store.
func (s *Service) Change(ctx context.Context, id string, request rollout.Request) (rollout.Rollout, error) {
	if err := s.checkContinuation(ctx, id, request); err != nil {
		return rollout.Rollout{}, err
	}
	hasChanged := false
	changed, err := s.deps.Store.UpdateRollout(ctx, id, func(r *rollout.Rollout) (err error) {
		if hasChanged, err = r.Apply(request); hasChanged {
			r.UpdatedAt = s.now()
		}
		return err
	})
	if err != nil {
		return rollout.Rollout{}, err
	}
	if hasChanged {
		s.cfg.Logger.Info("rollout changed", "rollout_id", id, "action", request.Action, "state", changed.State, "actor", request.By.Name, "reason", request.Reason)
	}
	return changed, nil
}

// checkContinuation returns rollout.ErrOverlap if the request continues a rollout that has ended, and a game that it
// would change is part of another rollout.
func (s *Service) checkContinuation(ctx context.Context, id string, request rollout.Request) error {
	if request.Action != rollout.ActionResume && request.Action != rollout.ActionUndo {
		return nil
	}
	found, games, err := s.deps.Store.Rollout(ctx, id)
	if err != nil || !found.State.HasEnded() {
		return err
	}
	if hasChanged, err := found.Apply(request); err != nil || !hasChanged {
		return err
	}
	return s.checkOverlap(ctx, id, slices.DeleteFunc(games, func(g rollout.Game) bool { return !found.IsDue(g) }))
}

// Delete deletes a rollout that has ended, or that is paused and changes no game. Its games are
// not affected. It returns rollout.ErrState for any other, rollout.ErrNotFound for an unknown id,
// and the errors of the store.
func (s *Service) Delete(ctx context.Context, id string, by rollout.Actor) error {
	if _, err := s.Change(ctx, id, rollout.Request{Action: rollout.ActionDelete, By: by}); err != nil {
		return err
	}
	err := s.deps.Store.DeleteRollout(ctx, id)
	if errors.Is(err, rollout.ErrNotFound) {
		return nil
	}
	return err
}

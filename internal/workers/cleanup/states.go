package cleanup

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// watchGames tracks the state directory of every game that it observes, and requests a pass
// after a deletion. So a game that is removed and deleted while this daemon does not run was
// tracked before. It tracks the games of all nodes: a game may have left a state directory on
// a node that it ran on before.
func (r *Retention) watchGames(ctx context.Context, deleted chan<- struct{}) {
	for ctx.Err() == nil {
		for event, err := range r.deps.Store.Watch(ctx, ports.WatchOptions{Resync: true}) {
			if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
				if ctx.Err() == nil {
					r.cfg.Logger.Warn("watch of the records ended; reconnecting", "error", err)
				}
				break
			}
			if event.GameID != "" { // bookmarks and the like name no game
				r.track(event.GameID)
			}
			if event.Type == ports.EventDeleted {
				select {
				case deleted <- struct{}{}:
				default: // a pass is requested
				}
			}
		}
		_ = wait.For(ctx, time.Second)
	}
}

// track tracks the state directory of a game, if it has one. An error does not prevent the
// deletion of the game: the directory remains.
func (r *Retention) track(gameID string) {
	if r.deps.States == nil {
		return
	}
	if err := r.deps.States.Track(gameID); err != nil {
		r.cfg.Logger.Warn("cannot track the state directory of a game; it remains if the game is deleted", "game_id", gameID, "error", err)
	}
}

// removeStates deletes the state directories of tracked games that are deleted. A directory
// that cannot be deleted is retried in the next pass.
func (r *Retention) removeStates(ctx context.Context) error {
	if r.deps.States == nil {
		return nil
	}
	tracked, err := r.deps.States.Tracked()
	if err != nil {
		return fmt.Errorf("list the tracked state directories: %w", err)
	}
	var faults []error
	for _, gameID := range tracked {
		if err := r.removeState(ctx, gameID); err != nil {
			faults = append(faults, fmt.Errorf("state directory of %q: %w", gameID, err))
		}
		if ctx.Err() != nil {
			break
		}
	}
	return errors.Join(faults...)
}

// removeState deletes the state directory of one tracked game, if the game is deleted.
func (r *Retention) removeState(ctx context.Context, gameID string) error {
	_, _, err := r.deps.Store.GetLocal(ctx, gameID) // cheap; most tracked games exist
	if !errors.Is(err, runtime.ErrNotFound) {
		return err
	}
	deleted, err := r.isDeleted(ctx, gameID)
	if err != nil || !deleted {
		return err
	}
	err = r.deps.States.Remove(gameID, func() (bool, error) { return r.isDeleted(ctx, gameID) })
	if err == nil {
		r.cfg.Logger.Info("state directory of a deleted game removed", "game_id", gameID)
	}
	return err
}

// isDeleted reports whether the game has neither a record nor an intent nor a container here.
// An operation stores its intent before it creates a container, so a game that is being
// started is not deleted.
func (r *Retention) isDeleted(ctx context.Context, gameID string) (bool, error) {
	if _, err := r.deps.Store.GetVersioned(ctx, gameID); !errors.Is(err, runtime.ErrNotFound) {
		return false, err
	}
	intent, err := r.deps.Store.GetIntent(ctx, gameID)
	if err != nil || intent.Revision != 0 {
		return false, err
	}
	containers, err := r.deps.Engine.List(ctx, gameID)
	return err == nil && len(containers) == 0, err
}

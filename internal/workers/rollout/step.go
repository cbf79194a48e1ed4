package rollout

import (
	"context"
	"errors"
	"reflect"

	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// change is the next state of a rollout, until it is stored.
type change struct {
	rollout rollout.Rollout
	games   []rollout.Game // all of them
	changed map[int]bool   // indexes of those that differ
	stored  []string       // games whose results it contains
}

// set replaces a game.
func (c *change) set(index int, game rollout.Game) {
	c.games[index] = game
	c.changed[index] = true
}

// isFull reports whether one write can contain no further game.
func (c *change) isFull() bool { return len(c.changed) >= ports.MaxProgressGames }

// step stores the results so far together with the games that begin, and starts the patches of
// the latter once they are stored. A write compares the revision of the rollout, so no game begins
// after a pause was stored.
func (r *runner) step(ctx context.Context) error {
	next := change{rollout: r.current.Clone(), games: append([]rollout.Game{}, r.games...), changed: map[int]bool{}}
	r.addResults(&next)
	blocked, err := r.beginGames(ctx, &next)
	if err != nil {
		return err
	}
	if next.rollout.State.IsActive() {
		next.rollout.Message = blocked
	}
	next.rollout.Counts = rollout.Count(next.games)
	hasEnded := next.rollout.Finish(next.games, r.now())
	if err := r.store(ctx, &next); err != nil {
		return err
	}
	r.startPatches(ctx)
	if hasEnded {
		c := next.rollout.Counts
		r.cfg.Logger.Info("rollout ended", "rollout_id", r.id, "state", next.rollout.State, "updated", c.Updated, "unchanged", c.Unchanged,
			"failed", c.Failed, "skipped", c.Skipped, "reverted", c.Reverted, "revert_failed", c.RevertFailed)
	}
	return nil
}

// store writes the change, unless it changes nothing.
func (r *runner) store(ctx context.Context, next *change) error {
	if len(next.changed) == 0 && reflect.DeepEqual(next.rollout, r.current) {
		r.dropStored(next.stored)
		return nil
	}
	changed := make([]rollout.Game, 0, len(next.changed))
	for index := range next.changed {
		changed = append(changed, next.games[index])
	}
	next.rollout.UpdatedAt = r.now()
	stored, err := r.deps.Store.PutProgress(ctx, next.rollout, changed, r.fence)
	if err != nil {
		return err
	}
	r.current, r.games = stored, next.games
	r.dropStored(next.stored)
	return nil
}

// dropStored drops results that are stored.
func (r *runner) dropStored(stored []string) {
	for _, gameID := range stored {
		delete(r.unstored, gameID)
	}
}

// addResults adds the results of patches to the change. One that failed may pause the rollout.
func (r *runner) addResults(next *change) {
	for index, game := range next.games {
		result, exists := r.unstored[game.GameID]
		if !exists || next.isFull() {
			continue
		}
		next.stored = append(next.stored, game.GameID)
		if !game.State.IsInProgress() {
			continue
		}
		state, message, isFinal := r.evaluate(game, result)
		if !isFinal && !r.isDesired(next.rollout, game) && !errors.Is(result.err, runtime.ErrOutcomeUnknown) {
			// The patch was not accepted, and is not desired any more.
			state, message, isFinal = stateBefore(game), "", true
		}
		if !isFinal {
			r.retryAt[game.GameID] = r.cfg.Clock().Add(r.cfg.RetryInterval)
			if game.Message != message {
				game.Message = message
				next.set(index, game)
			}
			continue
		}
		delete(r.retryAt, game.GameID)
		game.State, game.Message, game.ChangedAt = state, message, r.now()
		next.set(index, game)
		if state == rollout.GameFailed && next.rollout.PauseOnFailure && next.rollout.State == rollout.StateRunning {
			next.rollout.State = rollout.StatePaused
			next.rollout.Message = "game " + game.GameID + " failed: " + message
			r.cfg.Logger.Warn("rollout paused by a failure", "rollout_id", r.id, "game_id", game.GameID, "error", message)
		}
	}
}

// isDesired reports whether the rollout still has the patch to do of a game in progress.
func (r *runner) isDesired(current rollout.Rollout, game rollout.Game) bool {
	return current.State.IsActive() && current.IsUndo == (game.State == rollout.GameReverting)
}

// stateBefore returns the state of a game in progress before its patch.
func stateBefore(game rollout.Game) rollout.GameState {
	if game.State == rollout.GameReverting {
		return rollout.GameUpdated
	}
	return rollout.GamePending
}

// beginGames adds the games that begin to the change. It returns why further games cannot begin.
func (r *runner) beginGames(ctx context.Context, next *change) (blocked string, err error) {
	isReady := func(gameID string) bool {
		found, _, err := r.deps.Records.GetLocal(ctx, gameID)
		return errors.Is(err, runtime.ErrNotFound) || err == nil && (found.Record.IsReady() || hasEnded(found.Record))
	}
	due, blocked := next.rollout.Next(next.games, isReady)
	if len(due) == 0 {
		return blocked, nil
	}
	index := make(map[string]int, len(next.games))
	for i, game := range next.games {
		index[game.GameID] = i
	}
	for _, game := range due {
		if next.isFull() {
			return "", nil
		}
		started, err := r.begin(ctx, next.rollout, game)
		if err != nil {
			return "", err
		}
		next.set(index[game.GameID], started)
	}
	return blocked, nil
}

// hasEnded reports whether a user has stopped or removed the game: then it is not one that players miss.
func hasEnded(record runtime.RuntimeRecord) bool {
	isDesired := record.DesiredStatus == runtime.StatusStopped || record.DesiredStatus == runtime.StatusRemoved
	return record.Status != runtime.StatusRunning && isDesired && record.Operation == nil
}

// startPatches starts the patch of every game in progress that this runner does not wait for: those
// that have started, those of a former leader, and those to be repeated.
func (r *runner) startPatches(ctx context.Context) {
	now := r.cfg.Clock()
	for _, game := range r.games {
		_, isUnstored := r.unstored[game.GameID]
		if !game.State.IsInProgress() || isUnstored || r.inFlight[game.GameID] || now.Before(r.retryAt[game.GameID]) {
			continue
		}
		r.inFlight[game.GameID] = true
		current := r.current
		r.patches.Go(func() {
			result := r.patch(ctx, current, game)
			select {
			case r.results <- result:
			case <-ctx.Done():
			}
		})
	}
}

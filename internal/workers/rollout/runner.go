package rollout

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// runner carries out one rollout while this node leads. Only its goroutine uses its fields, except
// observed; the goroutines of patches send their results to it.
type runner struct {
	*Worker

	fence node.Fence
	id    string

	// observed is the revision of a change of the rollout, by this runner or another writer.
	observed atomic.Int64

	// current and games are the stored rollout and its games, ordered by game id.
	current rollout.Rollout
	games   []rollout.Game

	patches  sync.WaitGroup
	results  chan result
	inFlight map[string]bool      // games whose patch this runner waits for
	retryAt  map[string]time.Time // when to repeat the patch of a game
	unstored map[string]result    // results that are not stored yet, by game
}

func newRunner(w *Worker, fence node.Fence, id string) *runner {
	return &runner{
		Worker: w, fence: fence, id: id, results: make(chan result),
		inFlight: map[string]bool{}, retryAt: map[string]time.Time{}, unstored: map[string]result{},
	}
}

// reloadDelay is the delay before a rollout is read once more after a failed request.
const reloadDelay = 200 * time.Millisecond

// run makes steps until nothing is left to do, or ctx ends. It returns an error if another node
// leads.
func (r *runner) run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer r.patches.Wait()
	defer cancel()
	isLoaded := false
	for ctx.Err() == nil {
		err := error(nil)
		if !isLoaded || r.observed.Load() > r.current.Revision {
			err = r.load(ctx)
		}
		if err == nil {
			err = r.step(ctx)
		}
		switch {
		case err == nil:
			isLoaded = true
		case errors.Is(err, rollout.ErrNotFound):
			return nil
		case errors.Is(err, runtime.ErrFenced):
			return err
		default:
			// Another writer was faster, or it is not known what is stored.
			if !errors.Is(err, runtime.ErrConflict) && ctx.Err() == nil {
				r.cfg.Logger.Warn("rollout step failed; it is repeated", "rollout_id", r.id, "error", err)
				_ = wait.For(ctx, wait.Jittered(reloadDelay))
			}
			isLoaded = false
			continue
		}
		if r.isIdle() {
			return nil
		}
		r.wait(ctx)
	}
	return nil
}

// load reads the rollout and its games.
func (r *runner) load(ctx context.Context) error {
	current, games, err := r.deps.Store.Rollout(ctx, r.id)
	if err != nil {
		return err
	}
	r.current, r.games = current, games
	return nil
}

// isIdle reports whether the rollout has nothing to do.
func (r *runner) isIdle() bool {
	return !r.current.State.IsActive() && len(r.inFlight) == 0 &&
		!slices.ContainsFunc(r.games, func(g rollout.Game) bool { return g.State.IsInProgress() })
}

// wait waits for a result, at most Interval. It collects further results that are ready.
func (r *runner) wait(ctx context.Context) {
	timer := time.NewTimer(r.cfg.Interval)
	defer timer.Stop()
	select {
	case result := <-r.results:
		r.collect(result)
	case <-timer.C:
	case <-ctx.Done():
	}
	for {
		select {
		case result := <-r.results:
			r.collect(result)
		default:
			return
		}
	}
}

// collect keeps a result until it is stored.
func (r *runner) collect(result result) {
	delete(r.inFlight, result.gameID)
	r.unstored[result.gameID] = result
}

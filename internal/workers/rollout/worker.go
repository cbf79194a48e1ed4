// Package rollout carries out rollouts. The nodes elect one leader for all rollouts of the store.
// It patches games on their nodes as requests of users do, and stores each step before it begins, so
// that the next leader continues: a patch has an operation id that depends only on rollout, game and
// attempt, so a second leader joins it or gets its outcome.
//
//	worker.go    Worker: leads, starts a runner for each active rollout, deletes old rollouts
//	runner.go    runner: the loop of one rollout
//	step.go      one step: results are stored together with the games that begin
//	begin.go     how a game begins, and its patch
//	result.go    what the result of a patch means
package rollout

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Dependencies are the parts that a Worker uses. All but Authorize are required.
type Dependencies struct {
	Store    ports.RolloutStore
	Election ports.Election
	Records  Records
	Patcher  Patcher
	// Authorize returns an error unless the actor may patch the game; nil allows everything. ctx of
	// the patch is the returned one.
	Authorize func(ctx context.Context, by rollout.Actor, region, gameID string) (context.Context, error)
}

// Records reads records.
type Records interface {
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	// GetLocal returns a record that may be older, without a request.
	GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error)
}

// Patcher patches games on their nodes; services/cluster implements it.
type Patcher interface {
	// Patch returns the outcome, with an error if the patch failed.
	Patch(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error)
}

// Config tunes a Worker.
type Config struct {
	// Interval is the time between two looks at games that block a rollout, and between two tries of a game
	// that another operation blocks. Default 250 ms and 2 s.
	Interval, RetryInterval time.Duration
	// RetryFor is how long a patch is tried that another operation, a limit or the store delays, and
	// UnreachableFor one whose node is absent. Default 10 min and 1 min.
	RetryFor, UnreachableFor time.Duration
	// Retention is how long a rollout is kept after its end, and MaxEnded how many are. Default 7 days and
	// 100.
	Retention time.Duration
	MaxEnded  int
	// Clock is the clock of this daemon. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per change; nil discards them.
	Logger *slog.Logger
}

// listInterval is the least time between two lists of the rollouts: a rollout in progress changes
// often.
const listInterval = time.Second

// preparingFor is how long a rollout may be prepared before its daemon counts as dead.
const preparingFor = 10 * time.Minute

// Worker carries out rollouts while this node leads.
type Worker struct {
	deps Dependencies
	cfg  Config
}

// New returns a worker, which does nothing before Run.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Interval, cfg.RetryInterval = cmp.Or(cfg.Interval, 250*time.Millisecond), cmp.Or(cfg.RetryInterval, 2*time.Second)
	cfg.RetryFor, cfg.UnreachableFor = cmp.Or(cfg.RetryFor, 10*time.Minute), cmp.Or(cfg.UnreachableFor, time.Minute)
	cfg.Retention, cfg.MaxEnded = cmp.Or(cfg.Retention, 7*24*time.Hour), cmp.Or(cfg.MaxEnded, 100)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Worker{deps: deps, cfg: cfg}
}

// now is the time of a change, as it is stored.
func (w *Worker) now() time.Time { return w.cfg.Clock().UTC().Truncate(time.Millisecond) }

// Run campaigns for the leadership of rollouts, and carries them out while it leads, until ctx
// ends. Then it returns nil.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.deps.Election.Lead(ctx, node.ScopeRollouts, w.lead); ctx.Err() == nil {
		return err
	}
	return nil
}

// lead carries out rollouts until the leadership ends.
func (w *Worker) lead(ctx context.Context, fence node.Fence) error {
	w.cfg.Logger.Info("leadership of rollouts gained")
	defer w.cfg.Logger.Info("leadership of rollouts lost")
	ctx, cancel := context.WithCancelCause(ctx)
	l := leadership{worker: w, fence: fence, end: cancel, running: map[string]*runner{}}
	var following sync.WaitGroup
	defer func() {
		cancel(nil)
		following.Wait()
		l.runners.Wait()
	}()
	following.Go(func() { _ = w.deps.Store.FollowRollouts(ctx, l.changed.Notify) })
	for ctx.Err() == nil {
		changed := l.changed.Changed()
		if err := l.pass(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("rollouts could not be listed", "error", err)
		}
		if wait.For(ctx, listInterval) != nil {
			break
		}
		select {
		case <-changed:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// leadership is one leadership of this node.
type leadership struct {
	worker  *Worker
	fence   node.Fence
	end     context.CancelCauseFunc // ends the leadership
	changed broadcast.Signal
	runners sync.WaitGroup

	mu      sync.Mutex
	running map[string]*runner // by rollout; guarded by mu
}

// pass starts a runner for each rollout that has work and none, reports changes to the others, and
// deletes old rollouts.
func (l *leadership) pass(ctx context.Context) error {
	found, err := l.worker.deps.Store.Rollouts(ctx)
	if err != nil {
		return err
	}
	for _, r := range found {
		if r.State.IsActive() || r.Counts.InProgress > 0 {
			l.start(ctx, r)
		}
	}
	l.worker.deleteOld(ctx, found)
	return nil
}

// start starts the runner of a rollout. One that runs already reads the rollout if it has changed.
func (l *leadership) start(ctx context.Context, found rollout.Rollout) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := found.ID
	if running := l.running[id]; running != nil {
		running.observed.Store(found.Revision)
		return
	}
	started := newRunner(l.worker, l.fence, id)
	l.running[id] = started
	l.runners.Go(func() {
		err := started.run(ctx)
		l.mu.Lock()
		delete(l.running, id)
		l.mu.Unlock()
		l.changed.Notify() // the rollout may have been resumed in the meantime
		if err != nil && ctx.Err() == nil {
			l.end(err)
		}
	})
}

// deleteOld deletes the rollouts that ended long ago or are too many, and those whose preparation or
// deletion was interrupted. found is ordered by age, the oldest first.
func (w *Worker) deleteOld(ctx context.Context, found []rollout.Rollout) {
	endedCount := 0
	for _, r := range found {
		if r.State.HasEnded() {
			endedCount++
		}
	}
	now := w.now()
	for _, r := range found {
		isOld := false
		switch {
		case r.State.HasEnded() && r.FinishedAt != nil:
			isOld = now.Sub(*r.FinishedAt) > w.cfg.Retention || endedCount > w.cfg.MaxEnded
		case r.State == rollout.StatePreparing:
			isOld = now.Sub(r.CreatedAt) > preparingFor
		case r.State == rollout.StateDeleting:
			isOld = now.Sub(r.UpdatedAt) > preparingFor
		}
		if !isOld {
			continue
		}
		if r.State.HasEnded() {
			endedCount--
		}
		if err := w.delete(ctx, r); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("old rollout could not be deleted", "rollout_id", r.ID, "error", err)
		}
	}
}

// delete deletes a rollout unless it has changed since it was read.
func (w *Worker) delete(ctx context.Context, r rollout.Rollout) error {
	_, err := w.deps.Store.UpdateRollout(ctx, r.ID, func(current *rollout.Rollout) error {
		if current.Revision != r.Revision {
			return runtime.ErrConflict
		}
		current.State, current.UpdatedAt = rollout.StateDeleting, w.now()
		return nil
	})
	if err == nil {
		err = w.deps.Store.DeleteRollout(ctx, r.ID)
	}
	if err == nil {
		w.cfg.Logger.Info("rollout deleted", "rollout_id", r.ID, "state", r.State)
	}
	return err
}

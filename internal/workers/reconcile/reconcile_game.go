package reconcile

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// engineTimeout bounds one look at the engine: a wedged one must not hold the
// worker that asks.
const engineTimeout = 15 * time.Second

// observe looks at one game. The intent is read first and the engine last: an
// operation that begins in between moves the intent's revision, and whatever is
// concluded from the rest is refused.
func (w *Worker) observe(ctx context.Context, gameID string) (drift.Observation, error) {
	o := drift.Observation{GameID: gameID, Region: w.cfg.Region, Node: w.cfg.Node}
	intent, err := w.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return o, fmt.Errorf("read the intent of %q: %w", gameID, err)
	}
	o.Intent, o.IntentRevision = intent.Intent, intent.Revision
	found, err := w.Records.GetVersioned(ctx, gameID)
	switch {
	case err == nil:
		o.Record, o.RecordRevision = &found.Record, found.Revision
	case !errors.Is(err, runtime.ErrNotFound):
		return o, fmt.Errorf("read the record of %q: %w", gameID, err)
	}
	bound, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	o.Containers, o.EngineError = w.Engine.List(bound, gameID)
	w.complete(&o)
	return o, nil
}

// complete adds to an observation what the daemon itself knows.
func (w *Worker) complete(o *drift.Observation) {
	if o.Record != nil {
		o.Unhealthy = w.Unhealthy(*o.Record)
		o.RemovalReported = w.wasRemoved(o.Record.CurrentContainerID)
	}
	o.OperationActive = w.Remediator.HasActive(o.GameID)
	o.Now = w.cfg.Clock()
}

// look judges one game by what is seen now, and settles what can be. It returns
// when to look again, 0 for not before something happens.
func (w *Worker) look(ctx context.Context, gameID string) (time.Duration, error) {
	if w.Remediator.HasActive(gameID) {
		return workingAgain, nil
	}
	w.noteOverdue(gameID, false)
	o, err := w.observe(ctx, gameID)
	if err != nil {
		return 0, err
	}
	if o.OperationActive {
		return workingAgain, nil
	}
	findings := w.book.Record(gameID, drift.Detect(o), o.Now)
	var again time.Duration
	var faults []error
	for _, f := range findings {
		wait, err := w.deal(ctx, o, f)
		faults = append(faults, err)
		if wait > 0 && (again == 0 || wait < again) {
			again = wait
		}
	}
	return again, errors.Join(faults...)
}

// workingAgain is when a game is looked at again on which an operation is in progress.
const workingAgain = 500 * time.Millisecond

// deal does what one finding proposes, or returns when it may be done.
func (w *Worker) deal(ctx context.Context, o drift.Observation, f drift.Finding) (time.Duration, error) {
	if f.Action == drift.ActionNone {
		return 0, nil
	}
	if wait := w.tooEarly(o, f); wait > 0 {
		return wait, nil
	}
	if wait, err := w.doubt(ctx, o, f); wait > 0 || err != nil {
		return wait, err
	}
	if slow := w.laneOf(f.Action); slow != nil {
		if slow.NumRequeues(f.GameID) == 0 { // else it waits there for its next turn
			slow.Add(f.GameID)
		}
		return 0, nil
	}
	_, err := w.act(ctx, f)
	return 0, err
}

// An engine has to have had no container at all for so long, and in so many looks, before
// that is taken for a fault of its own: longer than events may be late.
const (
	doubtFor   = 15 * time.Second
	doubtLooks = 3
)

// doubt puts the brake on where the engine has lost not only the game's container, of
// which it has told nothing, but has none at all: it may be another engine than before,
// or have its directory elsewhere. How large a share of the games is lost says nothing
// where there is only one. It returns for how long that may still pass by itself.
func (w *Worker) doubt(ctx context.Context, o drift.Observation, f drift.Finding) (time.Duration, error) {
	if w.brake.held() != nil {
		return 0, nil
	}
	if doubtful, err := w.doubtful(ctx, f); err != nil || !doubtful {
		return 0, err
	}
	wait := seenFor(o, f, doubtFor, doubtLooks)
	if wait == 0 {
		w.brake.put(fmt.Sprintf("the engine has no container at all, and told of no removal; the record of %q names one", f.GameID))
	}
	return wait, nil
}

// doubtful reports whether the finding rests on an engine that has no container at all.
func (w *Worker) doubtful(ctx context.Context, f drift.Finding) (bool, error) {
	if f.Action != drift.ActionMarkRemoved || f.Proven || w.brake.released() {
		return false, nil
	}
	bound, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	containers, err := w.Engine.List(bound, "")
	if err != nil {
		return false, fmt.Errorf("see whether the engine has any container: %w", err)
	}
	return len(containers) == 0, nil
}

// act does what the finding proposes, and reports whether it did. What the brake holds
// back waits for the brake: releasing it asks for a pass.
func (w *Worker) act(ctx context.Context, f drift.Finding) (done bool, err error) {
	if destructive(f) && !w.brake.allows(f.GameID) {
		return false, nil
	}
	return w.settle(ctx, f)
}

// settle acts on the finding, and reports whether it was done. Where something has
// changed since, or is about to, the game is looked at again a little later. So is one
// that takes longer to start than its turn: it keeps no other game waiting.
func (w *Worker) settle(ctx context.Context, f drift.Finding) (done bool, err error) {
	turn := ctx
	if w.laneOf(f.Action) == w.starts {
		var over context.CancelFunc
		turn, over = context.WithTimeout(ctx, w.cfg.StartWait)
		defer over()
	}
	err = w.Remediator.Remediate(turn, f, "")
	switch {
	case err != nil && turn.Err() != nil && ctx.Err() == nil:
		w.noteOverdue(f.GameID, true)
		w.queue.AddAfter(f.GameID, workingAgain)
		return false, nil
	case err == nil:
		w.log.Info("drift settled", "game_id", f.GameID, "kind", f.Kind, "action", f.Action, "container_id", f.ContainerID, "evidence", f.Evidence)
		return true, nil
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy):
		w.queue.AddAfter(f.GameID, workingAgain)
		return false, nil
	default:
		return false, fmt.Errorf("settle %s: %w", f.ID, err)
	}
}

// noteOverdue counts the games whose start has outlived its turn.
func (w *Worker) noteOverdue(gameID string, on bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if on {
		w.overdue[gameID] = true
	} else {
		delete(w.overdue, gameID)
	}
}

// crowded reports whether too many starts are overdue for another one to begin.
func (w *Worker) crowded() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.overdue) >= w.cfg.MaxBackgroundStarts
}

// tooEarly returns how much longer a finding has to be seen before it is acted on.
func (w *Worker) tooEarly(o drift.Observation, f drift.Finding) time.Duration {
	var delay time.Duration
	looks := 1
	switch {
	case f.Kind == drift.KindOrphan, f.Kind == drift.KindStale && o.Record == nil: // somebody may be about to start it
		delay, looks = w.cfg.AdoptAfter, w.cfg.AdoptObservations
	case f.Kind == drift.KindCrashed, f.Kind == drift.KindUnhealthy:
		delay = time.Duration(o.Intent.Spec.WithDefaults().Crash.Delay)
	default:
		return 0
	}
	return seenFor(o, f, delay, looks)
}

// seenFor returns how much longer a finding has to be seen until it has been for so
// long and in so many looks.
func seenFor(o drift.Observation, f drift.Finding, delay time.Duration, looks int) time.Duration {
	since := o.Now.Sub(f.FirstSeen)
	switch {
	case since >= delay && f.Observations >= looks:
		return 0
	case looks > 1:
		return max(delay/time.Duration(looks), time.Millisecond)
	default:
		return delay - since
	}
}

// laneOf is where an action waits for its turn that can take long; nil is for the
// others, which are a write each.
func (w *Worker) laneOf(action drift.Action) lane {
	switch action {
	case drift.ActionRestart, drift.ActionCompleteOperation:
		return w.starts
	case drift.ActionRemoveContainer:
		return w.removals
	default:
		return nil
	}
}

// destructive reports whether a finding's action takes a record away on the
// evidence of absence, or a container without proof that its time is over.
func destructive(f drift.Finding) bool {
	return !f.Proven && (f.Action == drift.ActionMarkRemoved || f.Action == drift.ActionRemoveContainer)
}

// dealSlowly returns what the workers of a slow lane do with a game: what belongs to
// the lane, by what is seen now. A start that failed is no failure of this: how often
// it is tried, the crash policy says.
func (w *Worker) dealSlowly(slow lane) func(ctx context.Context, gameID string) (time.Duration, error) {
	return func(ctx context.Context, gameID string) (time.Duration, error) {
		if slow == w.starts && w.crowded() {
			return workingAgain, nil
		}
		o, err := w.observe(ctx, gameID)
		if err != nil || o.OperationActive {
			return 0, err
		}
		var faults []error
		for _, f := range w.book.Record(gameID, drift.Detect(o), o.Now) {
			if w.laneOf(f.Action) != slow || w.tooEarly(o, f) > 0 {
				continue
			}
			done, err := w.act(ctx, f)
			over := errors.Is(err, operation.ErrStartFailed) || errors.Is(err, container.ErrNoImage)
			if done || over {
				w.queue.Add(gameID)
			}
			if !over { // one container that is wedged does not keep the game's others
				faults = append(faults, err)
			}
		}
		return 0, errors.Join(faults...)
	}
}

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// execution is one operation being carried out by this daemon.
type execution struct {
	service *Service
	gameID  string
	// accepted is closed when the intent is written, or will not be; done when the
	// run is over.
	accepted, done chan struct{}

	// Only the run's own goroutine touches these.
	intent    operation.Intent
	version   ports.IntentVersion // of intent
	fence     node.Fence
	lastWrite runtime.VersionedRecord // what the operation last wrote or found

	mu       sync.Mutex // guards what follows
	id       string
	does     operation.Kind
	progress []progressEntry
	reports  int           // how many there were
	moved    chan struct{} // closed at the next one
	outcome  operation.Outcome
	err      error
}

func (s *Service) newRun(gameID string) *execution {
	return &execution{service: s, gameID: gameID, accepted: make(chan struct{}), done: make(chan struct{}), moved: make(chan struct{})}
}

// op is the operation as it was last written.
func (r *execution) op() *operation.Operation { return r.intent.Current }

// kind is what the accepted operation does.
func (r *execution) kind() operation.Kind {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.does
}

// operationID is empty until the operation has been accepted.
func (r *execution) operationID() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.id
}

// start carries the accepted operation out in the background.
func (r *execution) start() {
	r.mu.Lock()
	r.id, r.does = r.op().ID, r.op().Kind
	r.mu.Unlock()
	close(r.accepted)
	r.report(operation.Progress{})
	go func() {
		defer r.service.unlockGame(r)
		outcome, err := r.runWithRetry(r.service.closing)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.outcome, r.err = outcome, err
	}()
}

// runWithRetry repeats attempts until the operation is finished, or has to be left as
// it is: when it was taken over, when the daemon stops, and when engine or store
// have not answered for too long. What is left, the reconcile worker finds.
func (r *execution) runWithRetry(ctx context.Context) (operation.Outcome, error) {
	log := r.service.log.With("game_id", r.gameID, "operation_id", r.op().ID, "operation", r.op().Kind)
	log.Info("operation begins", "actor", r.op().Actor, "reason", r.op().Reason, "step", r.op().Step)
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = 50*time.Millisecond, 2*time.Second
	var troubleSince time.Time
	for {
		stood := r.version.Revision
		outcome, err := r.runOnce(ctx)
		if r.version.Revision != stood { // it has moved on since the last trouble
			troubleSince = time.Time{}
			pause.Reset()
		}
		switch {
		case err == nil && outcome.Failure != nil:
			log.Warn("operation failed", "code", outcome.Failure.Code, "error", outcome.Failure.Message)
			return outcome, errorOf(outcome)
		case err == nil:
			log.Info("operation done", "revision", outcome.Revision)
			return outcome, nil
		case ctx.Err() != nil:
			return outcome, fmt.Errorf("%w: %w; the operation is taken up again by the node's next daemon", runtime.ErrOutcomeUnknown, errClosed)
		case errors.Is(err, errSuperseded):
			log.Warn("operation is not ours any more", "error", err)
			return outcome, fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
		}
		if troubleSince.IsZero() {
			troubleSince = time.Now()
		}
		patient := transient(err) && time.Since(troubleSince) < r.service.cfg.RetryTimeout
		late := transient(err) && r.service.now().After(r.op().Deadline)
		switch {
		case late && r.canRollBack():
			err = r.fail(ctx, fmt.Errorf("%w: %w", errDeadline, err))
			troubleSince = time.Time{}
		case patient:
		case r.canRollBack():
			err = r.fail(ctx, err)
			troubleSince = time.Time{}
		default:
			log.Error("operation is left as it stands", "error", err)
			return outcome, fmt.Errorf("%s: %w; it is tried again later", r.op().Kind, err)
		}
		if err != nil {
			log.Warn("operation is tried again", "step", r.op().Step, "error", err)
			r.wait(ctx, pause.NextBackOff())
		}
	}
}

// canRollBack reports whether the operation can still be rolled back: it has not been
// yet, and has not come to where the new is well and only the old is left to clear away.
func (r *execution) canRollBack() bool {
	op := r.op()
	return op.Failure == nil && (op.Kind == operation.KindCleanup || !op.Reached(operation.StepRemoving))
}

func (r *execution) wait(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// runOnce goes on from the step that the operation stands at, to its end.
func (r *execution) runOnce(ctx context.Context) (operation.Outcome, error) {
	if err := r.reload(ctx); err != nil {
		return operation.Outcome{}, err
	}
	if r.op().Failure == nil {
		// By the clock that set it, which need not be the one that contexts go by.
		bound, cancel := context.WithTimeout(ctx, r.op().Deadline.Sub(r.service.now()))
		defer cancel()
		if err := r.runSteps(bound); err != nil {
			return operation.Outcome{}, err
		}
		return r.finish(ctx)
	}
	bound, cancel := context.WithTimeout(ctx, r.service.cfg.RetryTimeout+time.Duration(r.op().Spec.WithDefaults().StopGrace)*2)
	defer cancel()
	if err := r.rollBack(bound); err != nil {
		return operation.Outcome{}, err
	}
	return r.finish(ctx)
}

func (r *execution) runSteps(ctx context.Context) error {
	switch r.op().Kind {
	case operation.KindStart, operation.KindReschedule:
		return r.startGame(ctx)
	case operation.KindStop:
		return r.stop(ctx)
	case operation.KindRestart:
		return r.restart(ctx)
	case operation.KindPatch:
		return r.patch(ctx)
	case operation.KindCleanup:
		return r.cleanup(ctx)
	default:
		return &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not an operation of this version", r.op().Kind)}
	}
}

// reload reads where the operation stands; an earlier write may have had its
// answer lost.
func (r *execution) reload(ctx context.Context) error {
	if !r.holdsSession() {
		return fmt.Errorf("%w: this daemon's presence is over", errSuperseded)
	}
	found, err := r.service.Intents.GetIntent(ctx, r.gameID)
	if err != nil {
		return err
	}
	id := r.operationID()
	if found.Intent.Current == nil || found.Intent.Current.ID != id || found.Intent.Current.Session != r.fence.CreateRevision {
		return fmt.Errorf("%w: operation %s is not in progress any more", errSuperseded, id)
	}
	r.intent, r.version = found.Intent, found.IntentVersion
	return nil
}

// holdsSession reports whether the presence under which the operation was begun, or
// taken over, still holds. The engine cannot be fenced: this is asked before every act.
func (r *execution) holdsSession() bool {
	fence, ok := r.service.Session.Fence()
	return ok && fence == r.fence
}

// runStep takes one step: it writes that the step begins, and then acts. A step that
// the operation has passed is left out; one that it stood at is repeated.
func (r *execution) runStep(ctx context.Context, step operation.Step, act func(ctx context.Context) error) error {
	if r.op().Reached(step) && r.op().Step != step {
		return nil
	}
	if r.op().Step != step {
		if err := r.write(ctx, func(op *operation.Operation) { op.Step = step }); err != nil {
			return err
		}
		r.report(operation.Progress{})
	}
	if !r.holdsSession() {
		return fmt.Errorf("%w: this daemon's presence is over", errSuperseded)
	}
	return act(ctx)
}

// write changes the operation as it is written down.
func (r *execution) write(ctx context.Context, change func(op *operation.Operation)) error {
	next := r.intent.Clone()
	change(next.Current)
	next.Current.StepAt = r.service.now()
	return r.put(ctx, next)
}

func (r *execution) put(ctx context.Context, next operation.Intent) error {
	version, err := r.service.Intents.PutIntent(ctx, next, r.version, r.fence)
	if err != nil {
		return asSuperseded(fmt.Errorf("write the intent of %q: %w", r.gameID, err))
	}
	r.intent, r.version = next, version
	return nil
}

// fail writes that the operation is to be rolled back, and why.
func (r *execution) fail(ctx context.Context, why error) error {
	err := r.write(ctx, func(op *operation.Operation) {
		op.Step, op.Failure = operation.StepRollingBack, failureOf(why)
	})
	if err == nil {
		r.report(operation.Progress{Text: why.Error()})
	}
	return err
}

// finish writes how the operation ended, and that it is over.
func (r *execution) finish(ctx context.Context) (operation.Outcome, error) {
	op := r.op()
	outcome := op.Outcome(r.service.now())
	record, revision, err := r.service.findRecord(ctx, r.gameID)
	if err != nil {
		return outcome, err
	}
	outcome.Record, outcome.Revision = record, revision

	next := r.intent.Clone()
	next.Current = nil
	next.AddOutcome(outcome)
	if op.Failure == nil {
		next.Spec = op.Spec
		next.DesiredStatus = desiredStatusAfter(op.Kind, next.DesiredStatus)
	}
	if err := r.put(ctx, next); err != nil {
		return outcome, err
	}
	return outcome, nil
}

// desiredStatusAfter is the status that an operation which succeeded wants the game to have.
func desiredStatusAfter(kind operation.Kind, before runtime.Status) runtime.Status {
	switch kind {
	case operation.KindStart, operation.KindRestart, operation.KindReschedule:
		return runtime.StatusRunning
	case operation.KindStop:
		return runtime.StatusStopped
	case operation.KindCleanup:
		return runtime.StatusRemoved
	default: // a patch leaves the game as it was
		return before
	}
}

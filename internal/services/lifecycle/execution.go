package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// execution runs one operation. Only its own goroutine uses it; other goroutines see
// its activeOperation.
type execution struct {
	service *Service
	active  *activeOperation
	gameID  string
	fence   node.Fence            // of the session under which the operation was accepted or claimed
	intent  ports.VersionedIntent // as last read or stored
	// base is the game's record as last read or written, nil if unknown. It is the base of
	// the next compare-and-swap.
	base *recordState
	// lastWrite is the record as the operation last wrote it, or found it already written.
	lastWrite runtime.VersionedRecord
}

// op returns the operation as last stored.
func (e *execution) op() *operation.Operation { return e.intent.Intent.Current }

// start runs the stored operation in the background, and unlocks the game when it ends.
func (e *execution) start() {
	e.active.accept(*e.op())
	e.report(operation.Progress{})
	go func() {
		defer e.service.unlockGame(e.active)
		e.active.setResult(e.runWithRetry(e.service.lifetime.Context()))
	}()
}

// runWithRetry retries until the operation succeeds, is rolled back, or must be
// abandoned: superseded, shutdown, or a dependency down for longer than RetryTimeout.
// The reconcile worker resumes abandoned operations.
func (e *execution) runWithRetry(ctx context.Context) (operation.Outcome, error) {
	log := e.service.log.With("game_id", e.gameID, "operation_id", e.op().ID, "operation", e.op().Kind)
	log.Info("operation started", "actor", e.op().Actor, "reason", e.op().Reason, "step", e.op().Step)
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval, delays.MaxInterval = 50*time.Millisecond, 2*time.Second
	var failingSince time.Time // zero while the operation makes progress
	for isFirst := true; ; isFirst = false {
		before := e.intent.Revision
		outcome, err := e.runOnce(ctx, isFirst)
		if e.intent.Revision != before {
			failingSince = time.Time{}
			delays.Reset()
		}
		switch {
		case err == nil && outcome.Failure != nil:
			log.Warn("operation failed", "code", outcome.Failure.Code, "error", outcome.Failure.Message)
			return outcome, errorOf(outcome)
		case err == nil:
			log.Info("operation succeeded", "revision", outcome.Revision)
			return outcome, nil
		case ctx.Err() != nil:
			return outcome, fmt.Errorf("%w: %w; the node's next daemon resumes the operation", runtime.ErrOutcomeUnknown, errClosed)
		case errors.Is(err, errSuperseded):
			log.Warn("operation superseded", "error", err)
			return outcome, fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, err)
		}
		if failingSince.IsZero() {
			failingSince = time.Now()
		}
		switch {
		case isTransient(err) && e.deadlineExceeded() && e.canRollBack():
			err = e.beginRollback(ctx, fmt.Errorf("%w: %w", errDeadline, err))
			failingSince = time.Time{}
		case isTransient(err) && time.Since(failingSince) < e.service.cfg.RetryTimeout:
		case e.canRollBack():
			err = e.beginRollback(ctx, err)
			failingSince = time.Time{}
		default:
			log.Error("operation abandoned; the reconcile worker resumes it", "step", e.op().Step, "error", err)
			return outcome, fmt.Errorf("%s: %w; it is retried later", e.op().Kind, err)
		}
		if err != nil {
			log.Warn("operation is retried", "step", e.op().Step, "error", err)
			_ = wait.For(ctx, delays.NextBackOff()) // runOnce reports the end of ctx
		}
	}
}

// deadlineExceeded uses the clock that set the deadline.
func (e *execution) deadlineExceeded() bool { return e.service.now().After(e.op().Deadline) }

// canRollBack reports whether rollback is still possible: none has started, and the new
// container has not yet replaced the previous one.
func (e *execution) canRollBack() bool {
	op := e.op()
	return op.Failure == nil && (op.Kind == operation.KindCleanup || !op.Reached(operation.StepRemoving))
}

// runOnce continues the operation from its stored step to its end. The first attempt
// continues from the intent that has just been stored; later ones reload it, because the
// response to an earlier write may have been lost.
func (e *execution) runOnce(ctx context.Context, isFirst bool) (operation.Outcome, error) {
	if !isFirst {
		if err := e.reload(ctx); err != nil {
			return operation.Outcome{}, err
		}
	}
	if e.op().Failure == nil {
		// The clock that set the deadline may differ from the one of contexts.
		bound, cancel := context.WithTimeout(ctx, e.op().Deadline.Sub(e.service.now()))
		defer cancel()
		if err := e.runSteps(bound); err != nil {
			return operation.Outcome{}, err
		}
		return e.finish(ctx)
	}
	bound, cancel := context.WithTimeout(ctx, e.service.cfg.RetryTimeout+2*e.stopGrace())
	defer cancel()
	if err := e.rollBack(bound); err != nil {
		return operation.Outcome{}, err
	}
	return e.finish(ctx)
}

// runSteps runs the remaining steps of the operation.
func (e *execution) runSteps(ctx context.Context) error {
	switch e.op().Kind {
	case operation.KindStart, operation.KindReschedule:
		return e.startGame(ctx)
	case operation.KindStop:
		return e.stopGame(ctx)
	case operation.KindRestart:
		return e.restartGame(ctx)
	case operation.KindPatch:
		return e.patchGame(ctx)
	case operation.KindCleanup:
		return e.cleanUpGame(ctx)
	default:
		return &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not an operation of this version", e.op().Kind)}
	}
}

// reload reads the stored operation. It returns errSuperseded if the operation no longer
// belongs to this execution.
func (e *execution) reload(ctx context.Context) error {
	if err := e.checkSession(); err != nil {
		return err
	}
	stored, err := e.service.deps.Intents.GetIntent(ctx, e.gameID)
	if err != nil {
		return err
	}
	id, _ := e.active.operation()
	if current := stored.Intent.Current; current == nil || current.ID != id || current.Session != e.fence.CreateRevision {
		return fmt.Errorf("%w: operation %s is no longer in progress", errSuperseded, id)
	}
	e.intent, e.base = stored, nil
	return nil
}

// checkSession returns errSuperseded unless the session still exists under which the
// operation was accepted or claimed. The engine cannot check a fence, so this check
// precedes every act on it.
func (e *execution) checkSession() error {
	if fence, joined := e.service.deps.Session.Fence(); !joined || fence != e.fence {
		return fmt.Errorf("%w: this daemon has lost its session", errSuperseded)
	}
	return nil
}

// runStep stores that the step begins, and then acts. It skips a step that the operation
// has passed, and repeats the act of the current step.
func (e *execution) runStep(ctx context.Context, step operation.Step, act func(ctx context.Context) error) error {
	if e.op().Reached(step) && e.op().Step != step {
		return nil
	}
	if e.op().Step != step {
		if err := e.updateOperation(ctx, func(op *operation.Operation) { op.Step = step }); err != nil {
			return err
		}
		e.report(operation.Progress{})
	}
	if err := e.checkSession(); err != nil {
		return err
	}
	return act(ctx)
}

// updateOperation stores a change of the operation.
func (e *execution) updateOperation(ctx context.Context, change func(op *operation.Operation)) error {
	next := e.intent.Intent.Clone()
	change(next.Current)
	next.Current.StepAt = e.service.now()
	return e.storeIntent(ctx, next)
}

func (e *execution) storeIntent(ctx context.Context, next operation.Intent) error {
	stored, err := e.service.putIntent(ctx, e.intent, next, e.fence)
	if err != nil {
		return asSuperseded(err)
	}
	e.intent = stored
	return nil
}

// beginRollback stores that the operation is rolled back, and the reason.
func (e *execution) beginRollback(ctx context.Context, reason error) error {
	err := e.updateOperation(ctx, func(op *operation.Operation) {
		op.Step, op.Failure = operation.StepRollingBack, failureOf(reason)
	})
	if err == nil {
		e.report(operation.Progress{Text: reason.Error()})
	}
	return err
}

// finish stores the outcome and clears the operation in progress.
func (e *execution) finish(ctx context.Context) (operation.Outcome, error) {
	op := e.op()
	outcome := op.Outcome(e.service.now())
	final, err := e.finalRecord(ctx)
	if err != nil {
		return outcome, err
	}
	outcome.Record, outcome.Revision = final.record, final.revision

	next := e.intent.Intent.Clone()
	next.Current = nil
	next.AddOutcome(outcome)
	if op.Failure == nil {
		next.Spec = op.Spec
		next.DesiredStatus = desiredStatusAfter(op.Kind, next.DesiredStatus)
	}
	if err := e.storeIntent(ctx, next); err != nil {
		return outcome, err
	}
	return outcome, nil
}

// finalRecord returns the record that the operation leaves: the one that it wrote last.
// It reads the record if the operation wrote none, and after a rollback, which does not
// touch a record of another writer.
func (e *execution) finalRecord(ctx context.Context) (recordState, error) {
	if e.op().Failure != nil || e.base == nil || e.lastWrite.Revision != e.base.revision {
		return e.service.readRecord(ctx, e.gameID)
	}
	return *e.base, nil
}

// desiredStatusAfter returns the desired status after a successful operation.
func desiredStatusAfter(kind operation.Kind, before runtime.Status) runtime.Status {
	switch kind {
	case operation.KindStart, operation.KindRestart, operation.KindReschedule:
		return runtime.StatusRunning
	case operation.KindStop:
		return runtime.StatusStopped
	case operation.KindCleanup:
		return runtime.StatusRemoved
	default: // a patch does not change it
		return before
	}
}

// report publishes the current step, with the record if the operation has written one.
func (e *execution) report(p operation.Progress) {
	op := e.op()
	p.OperationID, p.Kind, p.GameID, p.Step, p.At = op.ID, op.Kind, e.gameID, op.Step, e.service.now()
	if e.lastWrite.Revision != 0 {
		record := e.lastWrite.Record.Clone()
		p.Record, p.Revision = &record, e.lastWrite.Revision
	}
	e.active.report(p)
}

// stopGrace returns how long a container may take to exit before it is killed.
func (e *execution) stopGrace() time.Duration {
	return time.Duration(e.op().Spec.WithDefaults().StopGrace)
}

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
	engine  sessionEngine         // checks that session before every act
	intent  ports.VersionedIntent // as last read or stored
	// base is the game's record as last read or written, nil if unknown. It is the base of
	// the next compare-and-swap.
	base *recordState
	// lastWrite is the record as the operation last wrote it, or found it already written.
	lastWrite runtime.VersionedRecord
}

// newExecution returns the execution of the operation that was stored with the fence.
func (s *Service) newExecution(active *activeOperation, fence node.Fence, stored ports.VersionedIntent) *execution {
	return &execution{
		service: s, active: active, gameID: active.gameID, fence: fence, intent: stored,
		engine: sessionEngine{Engine: s.deps.Engine, session: s.deps.Session, fence: fence},
	}
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

// runWithRetry retries until the operation succeeds, is rolled back, or is interrupted.
// It is interrupted if it is superseded, if the service closes, or if a dependency fails
// for longer than RetryTimeout. The reconcile worker resumes interrupted operations.
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
		case isTransient(err) && e.isPastDeadline() && e.canRollBack():
			err = e.beginRollback(ctx, fmt.Errorf("%w: %w", errDeadline, err))
			failingSince = time.Time{}
		case isTransient(err) && time.Since(failingSince) < e.service.cfg.RetryTimeout:
		case e.canRollBack():
			err = e.beginRollback(ctx, err)
			failingSince = time.Time{}
		default:
			log.Error("operation interrupted; the reconcile worker resumes it", "step", e.op().Step, "error", err)
			return outcome, fmt.Errorf("%s: %w; it is retried later", e.op().Kind, err)
		}
		if err != nil {
			log.Warn("operation is retried", "step", e.op().Step, "error", err)
			_ = wait.For(ctx, delays.NextBackOff()) // runOnce reports the end of ctx
		}
	}
}

// isPastDeadline reports whether the deadline of the operation has passed, by the clock
// that set it.
func (e *execution) isPastDeadline() bool { return e.service.now().After(e.op().Deadline) }

// canRollBack reports whether rollback is still possible: none has started, and the new
// container has not yet replaced the previous one.
func (e *execution) canRollBack() bool {
	op := e.op()
	return op.Failure == nil && (op.Kind == operation.KindCleanup || !op.HasReached(operation.StepRemoving))
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
		// The service's clock set the deadline; contexts use the system clock.
		stepsCtx, cancel := context.WithTimeout(ctx, e.op().Deadline.Sub(e.service.now()))
		defer cancel()
		if err := e.runSteps(stepsCtx); err != nil {
			return operation.Outcome{}, err
		}
		return e.finish(ctx)
	}
	stepsCtx, cancel := context.WithTimeout(ctx, e.service.cfg.RetryTimeout+2*e.stopGrace())
	defer cancel()
	if err := e.rollBack(stepsCtx); err != nil {
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

package lifecycle

import (
	"cmp"
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
	// mustReadBase means that a write on what the store knows of the record had a conflict.
	mustReadBase bool
	// resumedAt is when this daemon resumed the operation of an earlier one; zero if it
	// accepted the operation itself.
	resumedAt time.Time
	// isStepUnstored reports that the step of intent is later than the stored one.
	isStepUnstored bool
	// acceptance is how long the write took that accepted the operation, 0 if unknown.
	acceptance time.Duration
	// seenNode is the node that was last found to be present, at seenNodeAt.
	seenNode   node.Ref
	seenNodeAt time.Time
	// lastWrite is the record as the operation last wrote it, or found it already written.
	lastWrite runtime.VersionedRecord
}

// newExecution returns the execution of the operation that was stored with the fence.
func (s *Service) newExecution(active *activeOperation, fence node.Fence, stored ports.VersionedIntent) *execution {
	return &execution{
		service: s, active: active, gameID: active.gameID, fence: fence, intent: stored,
		engine: sessionEngine{gameEngine: s.engineOf(active.gameID), session: s.deps.Session, fence: fence},
	}
}

// op returns the operation as last stored.
func (e *execution) op() *operation.Operation { return e.intent.Intent.Current }

// start runs the stored operation in the background, and then the stop that has preempted
// it, if there is one. It unlocks the game at the end.
func (e *execution) start() {
	e.publish()
	go func() {
		for {
			announcement := e.service.announce(e.active, e.acceptance)
			e.active.setResult(e.runWithRetry(e.service.lifetime.Context()))
			announcement.Stop()
			next := e.handOver()
			if next == nil {
				break
			}
			e = next
		}
		e.service.unlockGame(e.active)
	}()
}

// publish makes the stored operation visible to requests, and reports it and its step.
func (e *execution) publish() {
	e.active.accept(*e.op())
	e.report(operation.Progress{Step: operation.StepAccepted})
	if e.op().Step != operation.StepAccepted {
		e.report(operation.Progress{})
	}
}

// runWithRetry retries until the operation succeeds, is rolled back, or is interrupted.
// It is interrupted if it is superseded, if the service closes, or if a dependency fails
// for longer than RetryTimeout. The reconcile worker resumes interrupted operations.
func (e *execution) runWithRetry(ctx context.Context) (operation.Outcome, error) {
	log := e.service.log.With("game_id", e.gameID, "operation_id", e.op().ID, "operation", e.op().Kind)
	log = log.With("actor", e.op().Actor, "reason", e.op().Reason)
	startedAt := e.op().StartedAt
	log.Debug("operation started", "step", e.op().Step)
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
		if errors.Is(err, errHandedOver) {
			log.Info("operation handed over", "node", e.op().NodeRef().String(), "step", e.op().Step)
			return operation.Outcome{}, nil
		}
		if err != nil && ctx.Err() == nil && e.acceptPreemption(ctx) {
			continue
		}
		switch {
		case err == nil && outcome.Failure != nil:
			log.Warn("operation failed", "duration_ms", outcome.FinishedAt.Sub(startedAt).Milliseconds(), "code", outcome.Failure.Code, "error", outcome.Failure.Message)
			return outcome, errorOf(outcome)
		case err == nil:
			log.Info("operation succeeded", "duration_ms", outcome.FinishedAt.Sub(startedAt).Milliseconds(), "revision", outcome.Revision)
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
		case isTransient(err) && e.isPastDeadline() && e.canRollBack() && time.Since(failingSince) < 2*e.service.cfg.RetryTimeout:
			err = e.beginRollback(ctx, fmt.Errorf("%w: %w", errDeadline, err))
		case isTransient(err) && time.Since(failingSince) < e.service.cfg.RetryTimeout:
		case e.canRollBack() && time.Since(failingSince) < 2*e.service.cfg.RetryTimeout:
			// The store may be away as well. Then the operation is interrupted after a while.
			err = e.beginRollback(ctx, err)
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
func (e *execution) isPastDeadline() bool { return e.service.now().After(e.deadline()) }

// minResumeTime is the least time that a resumed operation has for each step, even if its
// deadline has passed: the earlier daemon may have stopped right before its call of the
// engine.
const minResumeTime = 5 * time.Second

// deadline returns when the operation is rolled back: its stored deadline, or a short time
// after it was resumed. It is never later than the timeout from now, which matters if
// another clock has set it.
func (e *execution) deadline() time.Time {
	deadline := e.op().Deadline
	if least := e.resumedAt.Add(minResumeTime + e.service.cfg.RetryTimeout); !e.resumedAt.IsZero() && deadline.Before(least) {
		deadline = least
	}
	if latest := e.service.now().Add(e.service.operationTimeout(*e.op())); deadline.After(latest) {
		return latest
	}
	return deadline
}

// remaining returns the rest of a timeout that counts from the start of the stored step. A
// resumed step has at least minResumeTime, or the whole timeout if that is shorter.
func (e *execution) remaining(timeout time.Duration) time.Duration {
	now := e.service.now()
	rest := min(timeout, timeout-now.Sub(e.op().StepAt)) // the clock may have been set back
	if !e.resumedAt.IsZero() {
		rest = max(rest, min(timeout, minResumeTime)-now.Sub(e.resumedAt))
	}
	return max(rest, 0)
}

// canRollBack reports whether rollback is still possible: none has started, and the new
// container has not yet replaced the previous one.
func (e *execution) canRollBack() bool { return canRollBack(*e.op()) }

func canRollBack(op operation.Operation) bool {
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
	if !e.isOwnOperation() { // an earlier attempt has stored the outcome
		id, _, _ := e.active.operation()
		outcome, _ := e.intent.Intent.OutcomeOf(id)
		return outcome, nil
	}
	interruptible, release := e.active.interruptible(ctx)
	defer release()
	if e.op().Failure == nil {
		// The service's clock set the deadline; contexts use the system clock.
		stepsCtx, cancel := context.WithTimeout(interruptible, e.deadline().Sub(e.service.now()))
		defer cancel()
		if err := e.runSteps(stepsCtx); err != nil {
			return operation.Outcome{}, err
		}
		return e.finish(ctx)
	}
	stepsCtx, cancel := context.WithTimeout(interruptible, e.service.cfg.RetryTimeout+2*e.op().MinStopGrace())
	defer cancel()
	if err := e.rollBack(stepsCtx); err != nil {
		return operation.Outcome{}, err
	}
	if err := e.tryNextNode(stepsCtx); err != nil {
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
	case operation.KindMove:
		return e.moveGame(ctx)
	default:
		return &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not an operation of this version", e.op().Kind)}
	}
}

// report publishes a report of the current step, unless the report names another, with the
// record if the operation has written one.
func (e *execution) report(p operation.Progress) {
	op := e.op()
	p.OperationID, p.Kind, p.GameID, p.At = op.ID, op.Kind, e.gameID, e.service.now()
	p.Step = cmp.Or(p.Step, op.Step)
	if e.lastWrite.Revision != 0 {
		record := e.lastWrite.Record.Clone()
		p.Record, p.Revision = &record, e.lastWrite.Revision
	}
	e.active.report(p)
}

// stopGrace returns how long a container may take to exit before it is killed. Within the
// steps that stop the game, it is the rest of the grace of the first attempt.
func (e *execution) stopGrace() time.Duration {
	op := e.op()
	grace := op.MinStopGrace()
	if op.Step != operation.StepStopping && op.Step != operation.StepRollingBack {
		return grace
	}
	rest := min(grace, op.KillAt().Sub(e.service.now()))
	if !e.resumedAt.IsZero() {
		rest = max(rest, min(grace, minResumeTime)-e.service.now().Sub(e.resumedAt))
	}
	return max(rest, 0)
}

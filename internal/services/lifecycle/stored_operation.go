package lifecycle

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
)

// reload reads the stored operation. It returns errSuperseded if the operation no longer
// belongs to this execution, unless this execution has already stored its outcome.
func (e *execution) reload(ctx context.Context) error {
	if err := e.engine.checkSession(); err != nil {
		return err
	}
	stored, err := e.service.deps.Intents.GetIntent(ctx, e.gameID)
	if err != nil {
		return err
	}
	id, _, _ := e.active.operation()
	_, isDone := stored.Intent.OutcomeOf(id)
	if current := stored.Intent.Current; !isDone && (current == nil || current.ID != id || current.Session != e.fence.CreateRevision) {
		return fmt.Errorf("%w: operation %s is no longer in progress", errSuperseded, id)
	}
	e.intent, e.base, e.isStepUnstored = stored, nil, false
	return nil
}

// runStep stores the step and then calls run. It skips a step that the operation has
// passed. It runs the current step once more: the previous daemon may have been
// interrupted in it.
func (e *execution) runStep(ctx context.Context, step operation.Step, run func(ctx context.Context) error) error {
	if e.op().HasReached(step) && e.op().Step != step {
		return nil
	}
	if e.op().Step != step {
		if err := e.updateOperation(ctx, func(op *operation.Operation) { op.Step = step }); err != nil {
			return err
		}
		e.report(operation.Progress{})
	}
	if err := e.engine.checkSession(); err != nil {
		return err
	}
	return run(ctx)
}

// runUnstoredStep is runStep for a step that is reported and not stored. It saves a round
// trip to the store. A daemon that resumes the operation runs the last stored step and the
// steps after it once more, so the engine's calls of both must be idempotent.
func (e *execution) runUnstoredStep(ctx context.Context, step operation.Step, run func(ctx context.Context) error) error {
	if !e.op().HasReached(step) {
		e.op().Step, e.op().StepAt, e.isStepUnstored = step, e.service.now(), true
		e.report(operation.Progress{})
	}
	return e.runStep(ctx, step, run)
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
	e.intent, e.isStepUnstored = stored, false
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

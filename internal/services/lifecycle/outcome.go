package lifecycle

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// finish stores the outcome and clears the operation in progress. If a stop has preempted
// the operation, the same write makes that stop the operation in progress.
func (e *execution) finish(ctx context.Context) (operation.Outcome, error) {
	op := e.op()
	outcome := op.Outcome(e.service.now())
	outcome.Failure = describeAttempts(*op)
	final, err := e.finalRecord(ctx)
	if err != nil {
		return outcome, err
	}
	outcome.Record, outcome.Revision = final.record, final.revision
	// A patch can change settings for which the container is kept.
	outcome.Unchanged = outcome.Unchanged && hasSameOtherSettings(op.Spec, e.intent.Intent.Spec)

	next := e.intent.Intent.Clone()
	next.Current = nil
	next.AddOutcome(outcome)
	if op.Failure == nil {
		next.Spec = op.Spec
		next.DesiredStatus = op.Kind.DesiredStatus(next.DesiredStatus)
		if op.Kind == operation.KindStop && (final.record == nil || final.record.Status == runtime.StatusRemoved) {
			next.DesiredStatus = runtime.StatusRemoved // the stop has preempted the first start
		}
	}
	if op.PreemptedBy != nil {
		next.Current = e.successor(next, final)
	}
	e.setOutcomeCondition(&outcome, &next)
	if err := e.storeIntent(ctx, next); err != nil {
		return outcome, err
	}
	if op.Reserved && op.Target != nil {
		e.service.releaseOn(*op.Target, e.gameID, op.ID)
	} else {
		e.service.release(op.Reserved, e.gameID, op.ID)
	}
	if op.Generation > 0 && (op.Target == nil || *op.Target == e.service.self) { // it created a container here
		e.service.failures.record(op.Spec.Image, op.Failure != nil, e.service.now())
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

package operation

import (
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Abandon returns the intent after the operation in progress has ended because its node is absent;
// there must be one. The game keeps the spec of the operation if the record is of the operation's
// container, and if the game had no spec before: a later start without a spec then runs it as it
// was.
func (in Intent) Abandon(record *runtime.RuntimeRecord, at time.Time) Intent {
	in = in.Clone()
	op := in.Current
	in.Current = nil
	isRecorded := record != nil && op.Generation > 0 && record.Generation == op.Generation
	if isRecorded || in.Spec.Image == "" {
		in.Spec = op.Spec
	}
	outcome := op.Outcome(at)
	outcome.Record = op.PreviousRecord
	outcome.Failure = &Failure{
		Code:    FailureNodeLost,
		Message: fmt.Sprintf("node %s, which ran the operation, is absent; the last step was %s", op.NodeRef(), op.Step),
	}
	if p := op.PreemptedBy; p != nil {
		in.AddOutcome(p.Outcome(*op, at, *outcome.Failure))
	}
	in.AddOutcome(outcome)
	return in
}

// Outcome returns the outcome of a stop that waited for the operation and is not carried out.
func (p Preemption) Outcome(op Operation, at time.Time, failure Failure) Outcome {
	return Outcome{
		OperationID: p.OperationID, Kind: KindStop, Region: op.Region, Node: op.Node, Actor: p.Actor,
		StartedAt: p.At, FinishedAt: at, RequestHash: p.RequestHash, Record: op.PreviousRecord, Failure: &failure,
	}
}

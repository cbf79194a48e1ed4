package lifecycle

import (
	"context"
	"errors"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Queue is the queue of the reconcile worker, which writes the conditions of records.
type Queue interface {
	// Enqueue requests to reconcile the game.
	Enqueue(gameID string)
}

// showAfter is how long an operation must have run before its game's record names it. A
// shorter operation costs no write for that.
const showAfter = 100 * time.Millisecond

// showAfterWrites is how many times as long as its acceptance an operation must have run before its game's record
// names it. Where a write takes long, the operation would otherwise meet that write with its own writes of the
// record, and lose a round trip.
const showAfterWrites = 4

// announce makes the reconcile worker write the operation into the record, unless it ends
// or writes the record first. The worker does not before that time, also if it reconciles the game for another
// reason. acceptance is how long the write took that accepted the operation, 0 if unknown. The caller stops the
// returned timer when the operation ends.
func (s *Service) announce(active *activeOperation, acceptance time.Duration) *time.Timer {
	delay := max(showAfter, showAfterWrites*acceptance)
	active.mu.Lock()
	active.shownFrom = time.Now().Add(delay)
	active.mu.Unlock()
	return time.AfterFunc(delay, func() { s.enqueue(active.gameID) })
}

// enqueue makes the reconcile worker write the current condition of the game.
func (s *Service) enqueue(gameID string) {
	if s.deps.Queue != nil {
		s.deps.Queue.Enqueue(gameID)
	}
}

// ActiveOperation returns the accepted operation that this service is running on the game, and that its record
// should name by now, and false if there is none.
func (s *Service) ActiveOperation(gameID string) (runtime.OperationInProgress, bool) {
	s.mu.Lock()
	active := s.active[gameID]
	s.mu.Unlock()
	if active == nil {
		return runtime.OperationInProgress{}, false
	}
	active.mu.Lock()
	defer active.mu.Unlock()
	isDue := !active.shownFrom.IsZero() && !time.Now().Before(active.shownFrom)
	return active.inProgress, active.id != "" && isDue
}

// SetCondition writes the condition of the record, if the stored record has the revision of
// seen and the intent has the revision, and returns the written record. intentRevision 0 is that
// of any intent. It fails with the errors of ports.ConditionWriter, and
// with node.ErrUnreachable if this daemon has no session.
func (s *Service) SetCondition(ctx context.Context, seen runtime.VersionedRecord, intentRevision int64, condition runtime.Condition) (runtime.VersionedRecord, error) {
	fence, err := s.currentFence()
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.deps.Records.SetCondition(ctx, ports.ConditionInput{
		GameID: seen.Record.GameID, IfRevision: seen.Revision, IfIntentRevision: intentRevision, Condition: condition, Fence: &fence,
	})
}

// conditionAfter returns the condition of the record after a write of the operation. The write
// that ends a stop or a cleanup no longer names the operation: only its outcome remains to be
// stored.
func (e *execution) conditionAfter(current *runtime.RuntimeRecord, to runtime.Status, containerID string, suffix writeSuffix) runtime.Condition {
	op, intent := e.op(), e.intent.Intent
	record := runtime.RuntimeRecord{Status: to, CurrentContainerID: containerID}
	if current != nil {
		record.Condition = current.Condition
	}
	record.Health, record.HealthSince = "", nil // of the previous run
	if op.Failure == nil {
		intent.DesiredStatus = op.Kind.DesiredStatus(intent.DesiredStatus)
	}
	condition := intent.ConditionOf(record, e.service.now())
	isLast := suffix == finalWrite && (op.Kind == operation.KindStop || op.Kind == operation.KindCleanup)
	if isLast && op.PreemptedBy == nil {
		condition.Operation = nil
	}
	return condition
}

// setOutcomeCondition sets the condition of the outcome's record to the one that the operation
// leaves. The reconcile worker writes it next.
func (e *execution) setOutcomeCondition(outcome *operation.Outcome, next *operation.Intent) {
	if outcome.Record == nil || node.RefOf(*outcome.Record) != e.service.self {
		return
	}
	record := outcome.Record.WithCondition(next.ConditionOf(*outcome.Record, e.service.now()))
	outcome.Record = &record
	next.Recent[0].Record = &record
}

// baseAfterConflict returns the record that a conflict has returned, nil if it has returned
// none: then the next attempt reads the record.
func baseAfterConflict(err error) *recordState {
	var conflict *runtime.ConflictError
	if !errors.As(err, &conflict) || conflict.Precondition != runtime.PreconditionRevision || conflict.Revision == 0 {
		return nil
	}
	return &recordState{&conflict.Current, conflict.Revision}
}

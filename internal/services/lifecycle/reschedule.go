package lifecycle

import (
	"cmp"
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// failoverActor is the actor of reschedules.
const failoverActor = "failover"

// Reschedule assigns a game of an absent node to another node, which resumes the
// assigned operation. The leader or caretaker of the region calls it with its fence and with the
// record that it read; without a revision, a game whose first start was interrupted.
//
// It writes the intent only if the record is unchanged except for its condition, the current
// node is absent and the target is present. So a replaced leader, or one with a stale record,
// changes nothing. With the id of the start that the lost node was running, the assignment continues that
// start, which keeps its id and its spec.
//
// Errors:
//   - runtime.ErrFenced if the leadership is lost,
//   - runtime.ErrConflict if the record has changed, the current node has returned, or the
//     target has left,
//   - operation.ErrBusy if a present node has an operation on the game in progress.
func (s *Service) Reschedule(ctx context.Context, expected runtime.VersionedRecord, assignment operation.Assignment, fence node.Fence) error {
	gameID, to := expected.Record.GameID, assignment.To
	stored, current, err := s.readGame(ctx, gameID)
	if err != nil {
		return err
	}
	intent, err := s.ensureNoActiveOperation(ctx, stored.Intent, current.record)
	if err != nil {
		return err
	}
	if !isUnchanged(expected, current) {
		return runtime.NewRevisionConflict(gameID, expected.Revision, current.versioned())
	}
	from, err := lostNode(stored.Intent, current.record)
	if err != nil {
		return err
	}
	if op := stored.Intent.Current; op != nil && op.ID == assignment.OperationID {
		return s.continueStart(ctx, stored, current, assignment, fence)
	}
	// The operation that the node was lost in has not stored its spec yet.
	intent.Spec = stored.Intent.SpecOf(expected.Record.CurrentContainerID).Clone()
	if err := s.confirmLost(ctx, from, to); err != nil {
		return err
	}
	state := gameState{record: current.record, intent: intent}
	at := s.now()
	op := operation.Operation{
		ID: cmp.Or(assignment.OperationID, operation.NewID()), Reserved: assignment.IsReserved, Kind: operation.KindReschedule, Region: to.Region, Node: to.Name,
		Actor: failoverActor, Automatic: true, Reason: rescheduleReason(from, to),
		StartedAt: at, StepAt: at, Step: operation.StepAccepted,
		Spec: state.spec(), Generation: state.nextGeneration(), PreviousRecord: current.record,
	}
	if abandoned := stored.Intent.Current; abandoned != nil && current.record == nil { // its container may exist on the lost node
		op.Generation = max(op.Generation, abandoned.Generation+1)
	}
	op.Deadline = at.Add(s.operationTimeout(op))
	next := intent.Clone()
	next.GameID, next.Current, next.DesiredStatus = gameID, &op, runtime.StatusRunning
	if _, err := s.putIntent(ctx, stored, next, fence); err != nil {
		return fmt.Errorf("assign %q to node %s: %w", gameID, to, err)
	}
	s.log.Warn("game rescheduled", "game_id", gameID, "from", from.String(), "to", to.String(), "operation_id", op.ID)
	return nil
}

// continueStart assigns the start that a lost node was running to another node. The start keeps its id.
func (s *Service) continueStart(ctx context.Context, stored ports.VersionedIntent, current recordState, assignment operation.Assignment, fence node.Fence) error {
	op := *stored.Intent.Current
	if !op.CanChangeNode() || current.record != nil && current.record.Status != runtime.StatusRemoved {
		return fmt.Errorf("continue the start of %q on node %s: %w", stored.Intent.GameID, assignment.To, runtime.ErrConflict)
	}
	if err := s.confirmLost(ctx, op.NodeRef(), assignment.To); err != nil {
		return err
	}
	failure := operation.Failure{
		Code: operation.FailureNodeLost, NodeFault: true,
		Message: fmt.Sprintf("the node is absent; the last step was %s", op.Step),
	}
	if op.Failure != nil {
		failure = *op.Failure
	}
	next := stored.Intent.Clone()
	attempt := op.NextAttempt(assignment, failure, current.record, 0, s.now())
	next.Current = &attempt
	if _, err := s.putIntent(ctx, stored, next, fence); err != nil {
		return fmt.Errorf("assign %q to node %s: %w", stored.Intent.GameID, assignment.To, err)
	}
	s.log.Warn("start continues on another node", "game_id", stored.Intent.GameID, "from", op.NodeRef().String(), "to", assignment.To.String(), "operation_id", op.ID)
	return nil
}

// isUnchanged reports whether the current record is the expected one, except for its condition.
func isUnchanged(expected runtime.VersionedRecord, current recordState) bool {
	if current.record == nil || expected.Revision == 0 {
		return current.revision == expected.Revision
	}
	return current.record.EqualExceptCondition(expected.Record)
}

// rescheduleReason returns why a game is started on another node, for its history.
func rescheduleReason(from, to node.Ref) string {
	if from.Region == to.Region {
		return fmt.Sprintf("node %s is lost", from)
	}
	return fmt.Sprintf("node %s is lost, and no other node of region %s can run the game", from, from.Region)
}

// lostNode returns the node of the game: that of its record, or that of its first start,
// which has not written a record yet.
func lostNode(intent operation.Intent, record *runtime.RuntimeRecord) (node.Ref, error) {
	switch {
	case record != nil:
		return node.RefOf(*record), nil
	case intent.Current != nil:
		return intent.Current.NodeRef(), nil
	default:
		return node.Ref{}, fmt.Errorf("reschedule %q: %w", intent.GameID, runtime.ErrConflict)
	}
}

// confirmLost returns nil if the node from is absent and the node to is present, and
// otherwise runtime.ErrConflict.
func (s *Service) confirmLost(ctx context.Context, from, to node.Ref) error {
	nodes, err := s.presentNodes(ctx)
	if err != nil {
		return err
	}
	if _, present := node.Find(nodes, from); present {
		return fmt.Errorf("%w: node %s has returned", runtime.ErrConflict, from)
	}
	if _, present := node.Find(nodes, to); !present {
		return fmt.Errorf("%w: node %s is absent", runtime.ErrConflict, to)
	}
	return nil
}

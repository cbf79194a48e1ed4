package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// A start whose request named no node continues on the next node after a failure for a reason of its node:
// see isNodeFault. The node rolls back, moves the reservation, and writes the intent once: it names the next
// node and no session. That node claims the operation, which keeps its id, and begins with the first step
// and a new container. So one node owns the operation at any time. A node hands the operation over only
// after it has stopped the container, or if it has never started one, so no two containers run.
//
// If the node is lost before, the leader of its region hands the operation over: at once if the stored
// step shows that no container was started, and otherwise by the policy of the game for lost nodes.

// tryNextNode hands a start that was rolled back over to the next node. It returns errHandedOver if it has,
// and nil if the operation ends here: it may not change its node, its deadline has passed, or no other
// node can run the game.
func (e *execution) tryNextNode(ctx context.Context) error {
	op := e.op()
	remaining := op.Deadline.Sub(e.service.now())
	if !op.MustChangeNode() || e.service.deps.Placer == nil || remaining <= 0 {
		return nil
	}
	assignment, err := e.service.deps.Placer.SelectNext(ctx, e.gameID, *op)
	if err == nil && assignment.To == e.service.self {
		err = node.ErrNoCapacity
	}
	switch {
	case errors.Is(err, node.ErrNoCapacity):
		e.service.log.Info("no other node can run the game", "game_id", e.gameID, "operation_id", op.ID, "error", err)
		return nil
	case err != nil:
		return fmt.Errorf("select the next node: %w", err)
	}
	current, err := e.service.readRecord(ctx, e.gameID)
	if err != nil {
		return err
	}
	failure := *op.Failure
	next := e.intent.Intent.Clone()
	attempt := op.NextAttempt(assignment, failure, current.record, remaining, e.service.now())
	next.Current = &attempt
	if err := e.storeIntent(ctx, next); err != nil {
		return err
	}
	e.service.failures.record(op.Spec.Image, true, e.service.now())
	e.service.log.Warn("start failed for a reason of this node; it continues on another one", "game_id", e.gameID,
		"operation_id", op.ID, "to", assignment.To.String(), "code", failure.Code, "error", failure.Message)
	return errHandedOver
}

// describeAttempts returns the failure of the operation, which names all nodes if it failed on several.
func describeAttempts(op operation.Operation) *operation.Failure {
	if op.Failure == nil || len(op.Attempts) == 0 {
		return op.Clone().Failure
	}
	failure := *op.Failure
	failure.Message = operation.DescribeAttempts(append(op.Clone().Attempts, operation.NewAttempt(op.NodeRef(), failure)))
	return &failure
}

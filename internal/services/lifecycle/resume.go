package lifecycle

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
)

// Resume continues the operation that an earlier daemon of this node was running or that
// was assigned to this node, and returns its outcome. It returns the zero Outcome and no
// error if there is none, if this daemon is running it, or if it belongs to another node.
func (s *Service) Resume(ctx context.Context, gameID string) (operation.Outcome, error) {
	lock, holder, err := s.lockGame(gameID)
	if err != nil || holder != nil {
		return operation.Outcome{}, err
	}
	e, err := s.claimOperation(ctx, lock)
	if e == nil {
		s.unlockGame(lock)
		return operation.Outcome{}, err
	}
	e.start()
	return lock.watch(ctx, nil)
}

// claimOperation stores the session of this daemon in the game's operation and returns
// its execution. It returns nil if the node has no operation on the game.
func (s *Service) claimOperation(ctx context.Context, lock *activeOperation) (*execution, error) {
	stored, err := s.deps.Intents.GetIntent(ctx, lock.gameID)
	if err != nil {
		return nil, fmt.Errorf("read the intent of %q: %w", lock.gameID, err)
	}
	op := stored.Intent.Current
	if op == nil || op.NodeRef() != s.self {
		return nil, nil
	}
	fence, err := s.currentFence()
	if err != nil {
		return nil, err
	}
	next := stored.Intent.Clone()
	next.Current.Session = fence.CreateRevision
	// The deadline starts over: the time without a daemon does not count, and another
	// node's clock may have set it.
	next.Current.Deadline = s.now().Add(s.operationTimeout(*next.Current))
	claimed, err := s.putIntent(ctx, stored, next, fence)
	if err != nil {
		return nil, fmt.Errorf("claim operation %s: %w", op.ID, err)
	}
	return s.newExecution(lock, fence, claimed), nil
}

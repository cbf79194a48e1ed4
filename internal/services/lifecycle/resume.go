package lifecycle

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// Resume continues the operation that an earlier daemon of this node was running or that
// was assigned to this node, and returns its outcome. It returns the zero Outcome and no
// error if there is none, if this daemon is running it, or if it belongs to another node.
func (s *Service) Resume(ctx context.Context, gameID string) (operation.Outcome, error) {
	return s.resume(ctx, gameID, nil)
}

// resume is Resume of an operation whose intent the caller has seen, nil for none. It returns
// runtime.ErrConflict if that has changed since.
func (s *Service) resume(ctx context.Context, gameID string, seen *ports.VersionedIntent) (operation.Outcome, error) {
	lock, holder, err := s.lockGame(gameID)
	if err != nil || holder != nil {
		return operation.Outcome{}, err
	}
	e, err := s.claimOperation(ctx, lock, seen)
	if e == nil {
		s.unlockGame(lock)
		return operation.Outcome{}, err
	}
	e.start()
	return lock.watch(ctx, nil)
}

// claimOperation claims the operation of this node on the game and returns its execution.
// It returns nil if the node has no operation on the game. It reads the intent unless the caller
// has seen it.
func (s *Service) claimOperation(ctx context.Context, lock *activeOperation, seen *ports.VersionedIntent) (*execution, error) {
	if seen == nil {
		read, err := s.deps.Intents.GetIntent(ctx, lock.gameID)
		if err != nil {
			return nil, fmt.Errorf("read the intent of %q: %w", lock.gameID, err)
		}
		seen = &read
	}
	stored := *seen
	if op := stored.Intent.Current; op == nil || op.NodeRef() != s.self || planted.Is(planted.UnresumedIntent) && op.Session != 0 {
		return nil, nil
	}
	return s.claimStored(ctx, lock, stored)
}

// claimStored stores the session of this daemon in the operation of the intent, which
// nothing runs because the caller has locked the game, and returns its execution. It returns
// runtime.ErrConflict if the intent has changed.
func (s *Service) claimStored(ctx context.Context, lock *activeOperation, stored ports.VersionedIntent) (*execution, error) {
	op := stored.Intent.Current
	fence, err := s.currentFence()
	if err != nil {
		return nil, err
	}
	next := stored.Intent.Clone()
	next.Current.Session = fence.CreateRevision
	if op.Session == 0 { // assigned by another node, whose clock may differ
		if op.Step == operation.StepAccepted { // and not at a later step, as a move that was handed over
			next.Current.Step = firstStep(*op)
		}
		next.Current.StepAt = s.now()
		next.Current.Deadline = s.now().Add(cmp.Or(time.Duration(op.RemainingMS)*time.Millisecond, s.operationTimeout(*next.Current)))
	}
	claimed, err := s.putIntent(ctx, stored, next, fence)
	if err != nil {
		return nil, fmt.Errorf("claim operation %s: %w", op.ID, err)
	}
	e := s.newExecution(lock, fence, claimed)
	e.resumedAt = s.now()
	return e, nil
}

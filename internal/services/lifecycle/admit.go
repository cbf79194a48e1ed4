package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Execute implements ports.Executor.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := validateRequest(&request); err != nil {
		s.release(request.IsReserved, request.GameID, request.Origin.OperationID)
		return operation.Outcome{}, err
	}
	if request.Kind == operation.KindMove {
		return s.executeMove(ctx, request, report)
	}
	return s.execute(ctx, request, reportOnce(report), executeOptions{})
}

// executeOptions are additional settings of an operation that the daemon starts itself.
type executeOptions struct {
	// finding, when not nil, must still have the current revisions of record and intent
	// when the operation is accepted.
	finding *drift.Finding
	// restarts, when not nil, replaces the restarts of the intent in the write that
	// accepts the operation.
	restarts []time.Time
	// automatic reports that no user requested the operation.
	automatic bool
}

// execute runs a valid request.
func (s *Service) execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress), opts executeOptions) (operation.Outcome, error) {
	for ; ; request.Seen = nil { // it is too old after a wait for another operation
		lock, holder, err := s.lockGame(request.GameID)
		switch {
		case err != nil:
			return operation.Outcome{}, err
		case lock != nil:
			if outcome, handled, err := s.admit(ctx, lock, request, report, opts); handled {
				return outcome, err
			}
			continue
		case opts.finding != nil: // the operation in progress will change the finding's revisions
			return operation.Outcome{}, fmt.Errorf("%s %q: %w", request.Kind, request.GameID, operation.ErrBusy)
		}
		if outcome, handled, err := s.joinOrReject(ctx, holder, request, report); handled {
			if id, _, _ := holder.operation(); id != "" && id != request.Origin.OperationID { // otherwise the operation releases it
				s.release(request.IsReserved, request.GameID, request.Origin.OperationID)
			}
			return outcome, err
		}
	}
}

// joinOrReject handles a request for a locked game. A request with the operation ID of
// the holder joins that operation. A request with the ID of a recent outcome returns that
// outcome. A stop may preempt the holder. Any other request fails with ErrBusy. handled is
// false once the holder has ended; the caller must then retry.
func (s *Service) joinOrReject(ctx context.Context, holder *activeOperation, request ports.OperationRequest, report func(operation.Progress)) (_ operation.Outcome, handled bool, _ error) {
	select {
	case <-holder.accepted:
	case <-holder.done:
		return operation.Outcome{}, false, nil
	case <-ctx.Done():
		return operation.Outcome{}, true, ctx.Err()
	}
	if id, kind, hash := holder.operation(); id == request.Origin.OperationID {
		if err := checkIDReuse(request, kind, hash); err != nil {
			return operation.Outcome{}, true, err
		}
		outcome, err := s.watch(ctx, holder, request, report)
		return outcome, true, err
	}
	stored, err := s.deps.Intents.GetIntent(ctx, request.GameID)
	if err != nil {
		return operation.Outcome{}, true, err
	}
	if recent, found := stored.Intent.OutcomeOf(request.Origin.OperationID); found {
		outcome, err := replayOutcome(request, recent)
		return outcome, true, err
	}
	if stored.Intent.Current != nil {
		if err := s.preemptHolder(ctx, holder, request, *stored.Intent.Current); err != nil {
			return operation.Outcome{}, true, err
		}
		s.reportQueued(request, report)
	}
	// The holder has stored its outcome and is about to unlock the game, or it ends for the
	// request.
	err = waitForSuccessor(ctx, holder)
	return operation.Outcome{}, err != nil, err
}

// preemptHolder makes the holder end for the request. It returns nil once that is stored,
// and ErrBusy if the request does not preempt the operation in progress.
func (s *Service) preemptHolder(ctx context.Context, holder *activeOperation, request ports.OperationRequest, current operation.Operation) error {
	if step := holder.step(); current.HasReached(operation.StepStarting) && step == operation.StepAwaitingHealth {
		current.Step = step // the stored step is earlier
	}
	p := current.PreemptedBy
	switch {
	case p != nil && p.OperationID == request.Origin.OperationID:
		return checkIDReuse(request, operation.KindStop, p.RequestHash)
	case current.ID == request.Origin.OperationID: // the holder has just become this operation
		return checkIDReuse(request, current.Kind, current.RequestHash)
	case !s.canPreempt(request, current):
		return busyError(request.GameID, &current)
	}
	err := holder.preempt(ctx, s.newPreemption(request))
	if errors.Is(err, operation.ErrBusy) {
		return busyError(request.GameID, &current)
	}
	return err
}

// admit accepts the request by storing its intent, starts the operation and waits for
// its result. handled is false if admit has resumed an interrupted operation; the caller
// must retry.
func (s *Service) admit(ctx context.Context, lock *activeOperation, request ports.OperationRequest, report func(operation.Progress), opts executeOptions) (_ operation.Outcome, handled bool, _ error) {
	e, recent, err := s.persistIntent(ctx, lock, request, opts)
	if e == nil {
		s.unlockGame(lock)
		if errors.Is(err, errHandedOver) {
			outcome, err := s.follow(ctx, request, ports.VersionedIntent{}, report)
			return outcome, true, err
		}
		s.release(request.IsReserved, request.GameID, request.Origin.OperationID)
		if err != nil {
			return operation.Outcome{}, true, err
		}
		outcome, err := replayOutcome(request, *recent)
		return outcome, true, err
	}
	isOther := e.op().ID != request.Origin.OperationID
	e.start()
	if isOther {
		return operation.Outcome{}, false, nil
	}
	outcome, err := s.watch(ctx, lock, request, report)
	return outcome, true, err
}

// replayOutcome returns the result of an operation that ended before.
func replayOutcome(request ports.OperationRequest, recent operation.Outcome) (operation.Outcome, error) {
	if err := checkIDReuse(request, recent.Kind, recent.RequestHash); err != nil {
		return operation.Outcome{}, err
	}
	return recent, errorOf(recent)
}

// claimInterrupted returns the execution of an operation of this node that nothing runs: the
// daemon was restarted, or the write that accepted the operation was applied and its response
// was lost. The request preempts the operation if it can, and otherwise resumes it. Without
// that, clients that retry would hold the lock of the game and reconcile could not resume it.
func (s *Service) claimInterrupted(ctx context.Context, lock *activeOperation, request ports.OperationRequest, stored ports.VersionedIntent) (*execution, error) {
	if s.canPreempt(request, *stored.Intent.Current) {
		return s.claimPreempted(ctx, lock, request, stored)
	}
	return s.claimStored(ctx, lock, stored)
}

// joinOtherNode handles a request for a game with an operation of another node. isHandled reports that the
// request is that operation, or is the stop that has preempted it. A stop preempts an operation that
// the other node has not claimed yet; it returns runtime.ErrConflict if it has in the meantime.
func (s *Service) joinOtherNode(ctx context.Context, request ports.OperationRequest, stored ports.VersionedIntent, fence node.Fence) (isHandled bool, _ error) {
	op, id := *stored.Intent.Current, request.Origin.OperationID
	switch p := op.PreemptedBy; {
	case op.ID == id:
		return true, checkIDReuse(request, op.Kind, op.RequestHash)
	case p != nil && p.OperationID == id:
		return true, checkIDReuse(request, operation.KindStop, p.RequestHash)
	case op.Session != 0 || !s.canPreempt(request, op):
		return false, nil
	}
	nodes, err := s.presentNodes(ctx)
	if err != nil {
		return false, err
	}
	if _, isPresent := node.Find(nodes, op.NodeRef()); !isPresent {
		return false, nil
	}
	_, err = s.putIntent(ctx, stored, preemptedIntent(stored.Intent, s.newPreemption(request), canRollBack(op), s.now()), fence)
	return err == nil, err
}

// persistIntent stores the intent of the request and returns its execution. It returns errHandedOver if
// another node runs the operation of the request. It returns the
// execution of an interrupted operation of this node instead, if there is one. If the
// operation is among the game's recent ones, it returns that outcome instead.
func (s *Service) persistIntent(ctx context.Context, lock *activeOperation, request ports.OperationRequest, opts executeOptions) (*execution, *operation.Outcome, error) {
	for {
		stored, base, err := s.readRequested(ctx, &request)
		if err != nil {
			return nil, nil, err
		}
		if recent, found := stored.Intent.OutcomeOf(request.Origin.OperationID); found {
			return nil, &recent, nil
		}
		if op := stored.Intent.Current; op != nil && op.NodeRef() == s.self {
			e, err := s.claimInterrupted(ctx, lock, request, stored)
			if errors.Is(err, runtime.ErrConflict) {
				continue
			}
			return e, nil, err
		}
		fence, err := s.currentFence()
		if err != nil {
			return nil, nil, err
		}
		if stored.Intent.Current != nil && opts.finding == nil {
			isHandled, err := s.joinOtherNode(ctx, request, stored, fence)
			switch {
			case errors.Is(err, runtime.ErrConflict):
				continue
			case err != nil:
				return nil, nil, err
			case isHandled:
				return nil, nil, errHandedOver
			}
		}
		if f := opts.finding; f != nil && stored.Revision != f.IntentRevision {
			return nil, nil, intentConflict(*f, stored)
		}
		next, err := s.buildIntent(ctx, request, stored.Intent, base, opts)
		if err != nil {
			return nil, nil, err
		}
		next.Current.Session = fence.CreateRevision
		writtenAt := time.Now()
		accepted, err := s.putIntent(ctx, stored, next, fence)
		if errors.Is(err, runtime.ErrConflict) {
			continue // another writer changed the intent: start from the current one
		}
		if err != nil {
			return nil, nil, err
		}
		e := s.newExecution(lock, fence, accepted)
		e.base, e.acceptance = &base, time.Since(writtenAt)
		return e, nil, nil
	}
}

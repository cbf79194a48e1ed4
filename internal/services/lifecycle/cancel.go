package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Cancel ends the operation in progress on a game of this node: it is rolled back, as if a stop
// preempted it, and no stop follows. Cancel returns nil once that is stored; the rollback may take longer. A
// second call for the same operation returns nil as well.
//
// Errors:
//   - operation.ErrUnknownOperation if the game has no such operation,
//   - *operation.RejectedError if it has ended, if its outcome cannot be undone any more, and for a stop or
//     a cleanup, which cannot be undone,
//   - operation.ErrBusy while another request ends it,
//   - node.ErrUnreachable while this daemon has no session, and the errors of the store.
func (s *Service) Cancel(ctx context.Context, gameID, operationID string, origin ports.Origin) error {
	for {
		lock, holder, err := s.lockGame(gameID)
		switch {
		case err != nil:
			return err
		case lock != nil:
			e, err := s.claimCanceled(ctx, lock, operationID, origin)
			if e != nil {
				e.start()
				return nil
			}
			s.unlockGame(lock)
			if errors.Is(err, runtime.ErrConflict) {
				continue
			}
			return err
		}
		if isHandled, err := s.cancelHolder(ctx, holder, operationID, origin); isHandled {
			return err
		}
	}
}

// cancelHolder cancels the operation that holds the lock of the game. isHandled is false if the holder has ended
// and the caller must retry.
func (s *Service) cancelHolder(ctx context.Context, holder *activeOperation, operationID string, origin ports.Origin) (isHandled bool, _ error) {
	select {
	case <-holder.accepted:
	case <-holder.done:
		return false, nil
	case <-ctx.Done():
		return true, ctx.Err()
	}
	stored, err := s.deps.Intents.GetIntent(ctx, holder.gameID)
	if err != nil {
		return true, err
	}
	if stored.Intent.Current == nil || stored.Intent.Current.ID != operationID {
		return true, s.notInProgressError(stored.Intent, operationID)
	}
	isCanceled, err := checkCancelable(holder.gameID, *stored.Intent.Current)
	if isCanceled || err != nil {
		return true, err
	}
	failure := cancellation(origin)
	if err := holder.requestEnd(ctx, &preemptRequest{cancellation: &failure, result: make(chan error, 1)}); err != nil {
		if errors.Is(err, operation.ErrBusy) {
			return true, busyError(holder.gameID, stored.Intent.Current)
		}
		return true, err
	}
	// The operation may have ended first.
	return s.confirmCanceled(ctx, holder.gameID, operationID)
}

// confirmCanceled returns nil if the operation is being rolled back or was canceled. isHandled is false if it is
// neither: then the caller must retry.
func (s *Service) confirmCanceled(ctx context.Context, gameID, operationID string) (isHandled bool, _ error) {
	stored, err := s.deps.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return true, err
	}
	if current := stored.Intent.Current; current != nil && current.ID == operationID {
		return current.Failure != nil && current.Failure.Code == operation.FailureCanceled, nil
	}
	if outcome, isRecent := stored.Intent.OutcomeOf(operationID); isRecent && outcome.Failure != nil && outcome.Failure.Code == operation.FailureCanceled {
		return true, nil
	}
	return true, s.notInProgressError(stored.Intent, operationID)
}

// claimCanceled claims an interrupted operation of this node to roll it back, and returns its execution. It
// returns nil with no error if the operation was canceled before.
func (s *Service) claimCanceled(ctx context.Context, lock *activeOperation, operationID string, origin ports.Origin) (*execution, error) {
	stored, err := s.deps.Intents.GetIntent(ctx, lock.gameID)
	if err != nil {
		return nil, err
	}
	current := stored.Intent.Current
	if current == nil || current.ID != operationID {
		return nil, s.notInProgressError(stored.Intent, operationID)
	}
	if current.NodeRef() != s.self {
		return nil, &operation.RejectedError{GameID: lock.gameID, Operation: "cancel", Reason: fmt.Sprintf("the operation is on node %s, and this is node %s", current.NodeRef(), s.self)}
	}
	if isCanceled, err := checkCancelable(lock.gameID, *current); isCanceled || err != nil {
		return nil, err
	}
	fence, err := s.currentFence()
	if err != nil {
		return nil, err
	}
	next := stored.Intent.Clone()
	failure := cancellation(origin)
	next.Current.Session, next.Current.Step, next.Current.StepAt, next.Current.Failure = fence.CreateRevision, operation.StepRollingBack, s.now(), &failure
	claimed, err := s.putIntent(ctx, stored, next, fence)
	if err != nil {
		return nil, err
	}
	e := s.newExecution(lock, fence, claimed)
	e.resumedAt = s.now()
	return e, nil
}

// storeCancellation stores that the operation is rolled back because of a cancellation. It is called on the
// goroutine of the execution.
func (e *execution) storeCancellation(ctx context.Context, failure operation.Failure) error {
	if isCanceled, err := checkCancelable(e.gameID, *e.op()); isCanceled || err != nil {
		return err
	}
	err := e.updateOperation(ctx, func(op *operation.Operation) {
		op.Step, op.Failure = operation.StepRollingBack, &failure
	})
	if err == nil {
		e.service.log.Info("operation canceled", "game_id", e.gameID, "operation_id", e.op().ID, "operation", e.op().Kind, "reason", failure.Message)
		e.report(operation.Progress{Text: failure.Message})
	}
	return err
}

// checkCancelable returns an *operation.RejectedError for an operation that cannot be canceled. isCanceled reports that
// it was canceled before.
func checkCancelable(gameID string, op operation.Operation) (isCanceled bool, _ error) {
	reject := func(reason string) (bool, error) {
		return false, &operation.RejectedError{GameID: gameID, Operation: "cancel", Reason: fmt.Sprintf("%s %s %s", op.Kind, op.ID, reason)}
	}
	switch {
	case op.Failure != nil && op.Failure.Code == operation.FailureCanceled:
		return true, nil
	case op.Failure != nil:
		return reject("is being rolled back already: " + op.Failure.Message)
	case op.Kind == operation.KindStop:
		return reject("cannot be undone; start the game after it, or stop it with a shorter grace to end it sooner")
	case op.Kind == operation.KindCleanup:
		return reject("cannot be undone")
	case !canRollBack(op):
		return reject("has replaced the previous container and is about to succeed")
	}
	return false, nil
}

// notInProgressError returns the error for an operation that is not in progress.
func (s *Service) notInProgressError(intent operation.Intent, operationID string) error {
	if outcome, isRecent := intent.OutcomeOf(operationID); isRecent {
		return &operation.RejectedError{GameID: intent.GameID, Operation: "cancel", Reason: fmt.Sprintf("%s %s has ended", outcome.Kind, operationID)}
	}
	if current := intent.Current; current != nil && current.PreemptedBy != nil && current.PreemptedBy.OperationID == operationID {
		return &operation.RejectedError{GameID: intent.GameID, Operation: "cancel", Reason: fmt.Sprintf("stop %s has preempted %s %s, which is being rolled back; start the game after it", operationID, current.Kind, current.ID)}
	}
	return fmt.Errorf("operation %q of game %q: %w", operationID, intent.GameID, operation.ErrUnknownOperation)
}

// cancellation returns the failure of an operation that the origin has canceled.
func cancellation(origin ports.Origin) operation.Failure {
	text := operation.ErrCanceled.Error()
	if origin.Actor != "" {
		text += " by " + origin.Actor
	}
	if origin.Reason != "" {
		text += ": " + origin.Reason
	}
	return operation.Failure{Code: operation.FailureCanceled, Message: text}
}

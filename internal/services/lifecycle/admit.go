package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Execute implements ports.Executor.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := validateRequest(&request); err != nil {
		return operation.Outcome{}, err
	}
	return s.execute(ctx, request, report, executeOptions{})
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
	for {
		lock, holder, err := s.lockGame(request.GameID)
		switch {
		case err != nil:
			return operation.Outcome{}, err
		case lock != nil:
			return s.admit(ctx, lock, request, report, opts)
		case opts.finding != nil: // the operation in progress will change the finding's revisions
			return operation.Outcome{}, fmt.Errorf("%s %q: %w", request.Kind, request.GameID, operation.ErrBusy)
		}
		if outcome, handled, err := s.joinOrReject(ctx, holder, request, report); handled {
			return outcome, err
		}
	}
}

// joinOrReject handles a request for a locked game. A request with the operation ID of
// the holder joins that operation. A request with the ID of a recent outcome returns that
// outcome. Any other request fails with ErrBusy. handled is false if the holder ended
// first; the caller must then retry.
func (s *Service) joinOrReject(ctx context.Context, holder *activeOperation, request ports.OperationRequest, report func(operation.Progress)) (_ operation.Outcome, handled bool, _ error) {
	select {
	case <-holder.accepted:
	case <-holder.done:
		return operation.Outcome{}, false, nil
	case <-ctx.Done():
		return operation.Outcome{}, true, ctx.Err()
	}
	if id, kind := holder.operation(); id == request.Origin.OperationID {
		if kind != request.Kind {
			return operation.Outcome{}, true, operationIDReusedError(request, kind)
		}
		outcome, err := holder.watch(ctx, report)
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
		return operation.Outcome{}, true, busyError(request.GameID, stored.Intent.Current)
	}
	select {
	case <-holder.done: // it has stored its outcome and is about to unlock the game
		return operation.Outcome{}, false, nil
	case <-ctx.Done():
		return operation.Outcome{}, true, ctx.Err()
	}
}

// admit accepts the request by storing its intent, starts the operation and waits for
// its result.
func (s *Service) admit(ctx context.Context, lock *activeOperation, request ports.OperationRequest, report func(operation.Progress), opts executeOptions) (operation.Outcome, error) {
	e, recent, err := s.persistIntent(ctx, lock, request, opts)
	if e == nil {
		s.unlockGame(lock)
		if err != nil {
			return operation.Outcome{}, err
		}
		return replayOutcome(request, *recent)
	}
	e.start()
	return lock.watch(ctx, report)
}

// replayOutcome returns the result of an operation that ended before.
func replayOutcome(request ports.OperationRequest, recent operation.Outcome) (operation.Outcome, error) {
	if recent.Kind != request.Kind {
		return operation.Outcome{}, operationIDReusedError(request, recent.Kind)
	}
	return recent, errorOf(recent)
}

// persistIntent stores the intent of the request and returns its execution. If the
// operation is among the game's recent ones, it returns that outcome instead.
func (s *Service) persistIntent(ctx context.Context, lock *activeOperation, request ports.OperationRequest, opts executeOptions) (*execution, *operation.Outcome, error) {
	for {
		stored, err := s.deps.Intents.GetIntent(ctx, request.GameID)
		if err != nil {
			return nil, nil, fmt.Errorf("read the intent of %q: %w", request.GameID, err)
		}
		if recent, found := stored.Intent.OutcomeOf(request.Origin.OperationID); found {
			return nil, &recent, nil
		}
		fence, err := s.currentFence()
		if err != nil {
			return nil, nil, err
		}
		if f := opts.finding; f != nil && stored.Revision != f.IntentRevision {
			return nil, nil, intentConflict(*f, stored)
		}
		next, base, err := s.buildIntent(ctx, request, stored.Intent, fence, opts)
		if err != nil {
			return nil, nil, err
		}
		accepted, err := s.putIntent(ctx, stored, next, fence)
		if errors.Is(err, runtime.ErrConflict) {
			continue // another writer changed the intent: start from the current one
		}
		if err != nil {
			return nil, nil, err
		}
		e := s.newExecution(lock, fence, accepted)
		e.base = &base
		return e, nil, nil
	}
}

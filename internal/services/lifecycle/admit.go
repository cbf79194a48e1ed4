package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxOperationIDBytes leaves space in the ledger for the suffixes that distinguish the
// writes of one operation.
const maxOperationIDBytes = ports.MaxOperationIDBytes - 32

// Execute implements ports.Executor.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := validateRequest(&request); err != nil {
		return operation.Outcome{}, err
	}
	return s.execute(ctx, request, report, operateOptions{})
}

// operateOptions are extra conditions for operations that the daemon starts itself.
type operateOptions struct {
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
func (s *Service) execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress), opts operateOptions) (operation.Outcome, error) {
	for {
		lock, holder, err := s.lockGame(request.GameID)
		switch {
		case err != nil:
			return operation.Outcome{}, err
		case lock != nil:
			return s.admit(ctx, lock, request, report, opts)
		case opts.finding != nil: // its revisions are about to change
			return operation.Outcome{}, fmt.Errorf("%s %q: %w", request.Kind, request.GameID, operation.ErrBusy)
		}
		if outcome, handled, err := s.joinOrReject(ctx, holder, request, report); handled {
			return outcome, err
		}
	}
}

// joinOrReject handles a request for a game that is locked. A request with the operation
// ID of the holder waits for it; another one fails with ErrBusy. handled is false if the
// holder ended first and the caller must retry.
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
func (s *Service) admit(ctx context.Context, lock *activeOperation, request ports.OperationRequest, report func(operation.Progress), opts operateOptions) (operation.Outcome, error) {
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

// operationIDReusedError is returned for an operation ID that belongs to an operation of
// another kind.
func operationIDReusedError(request ports.OperationRequest, kind operation.Kind) error {
	return &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("%q belongs to a %s; a %s needs another operation ID", request.Origin.OperationID, kind, request.Kind)}
}

// persistIntent stores the intent of the request and returns its execution. If the
// operation is among the game's recent ones, it returns that outcome instead.
func (s *Service) persistIntent(ctx context.Context, lock *activeOperation, request ports.OperationRequest, opts operateOptions) (*execution, *operation.Outcome, error) {
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
			continue // another writer was first: decide from the current intent
		}
		if err != nil {
			return nil, nil, err
		}
		return &execution{service: s, active: lock, gameID: request.GameID, fence: fence, intent: accepted, base: &base}, nil, nil
	}
}

// buildIntent returns the intent that accepts the request, and the record that the
// operation starts from.
func (s *Service) buildIntent(ctx context.Context, request ports.OperationRequest, intent operation.Intent, fence node.Fence, opts operateOptions) (operation.Intent, recordState, error) {
	intent, err := s.ensureNoActiveOperation(ctx, intent)
	if err != nil {
		return intent, recordState{}, err
	}
	base, err := s.readRecord(ctx, request.GameID)
	if err != nil {
		return intent, base, err
	}
	if f := opts.finding; f != nil && base.revision != f.RecordRevision {
		return intent, base, recordConflict(*f, base)
	}
	if err := s.checkPlacement(request, base.record); err != nil {
		return intent, base, err
	}
	containerState, err := s.recordedContainerState(ctx, request.GameID, base.record)
	if err != nil {
		return intent, base, err
	}
	op, err := plan(request, gameState{record: base.record, intent: intent, container: containerState})
	if err != nil {
		return intent, base, err
	}
	at := s.now()
	op.ID, op.Region, op.Node, op.Session = request.Origin.OperationID, s.cfg.Region, s.cfg.Node, fence.CreateRevision
	op.Actor, op.Reason, op.PreviousRecord, op.Automatic = request.Origin.Actor, request.Origin.Reason, base.record, opts.automatic
	op.Step, op.StartedAt, op.StepAt = operation.StepAccepted, at, at
	op.Deadline = at.Add(s.operationTimeout(op))
	intent = intent.Clone()
	intent.GameID, intent.Current = request.GameID, &op
	if opts.restarts != nil {
		intent.Restarts = opts.restarts
	}
	return intent, base, nil
}

// operationTimeout returns how long an operation may take before it is rolled back.
func (s *Service) operationTimeout(op operation.Operation) time.Duration {
	spec := op.Spec.WithDefaults()
	timeout := time.Duration(spec.StopGrace) + time.Duration(spec.HealthTimeout) + 2*s.cfg.RetryTimeout
	if op.Generation > 0 {
		timeout += s.cfg.PullTimeout
	}
	return timeout
}

// ensureNoActiveOperation returns the intent without an operation in progress. It
// returns a BusyError if the node of the operation is present, and abandons the
// operation of an absent node.
func (s *Service) ensureNoActiveOperation(ctx context.Context, intent operation.Intent) (operation.Intent, error) {
	if intent.Current == nil {
		return intent, nil
	}
	holder := intent.Current.NodeRef()
	if holder == s.self { // interrupted, and about to be resumed
		return intent, busyError(intent.GameID, intent.Current)
	}
	nodes, err := s.presentNodes(ctx)
	if err != nil {
		return intent, err
	}
	if _, present := node.Find(nodes, holder); present {
		return intent, busyError(intent.GameID, intent.Current)
	}
	return abandonOperation(intent, s.now()), nil
}

func (s *Service) presentNodes(ctx context.Context) ([]node.Node, error) {
	nodes, err := s.deps.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the present nodes: %w", err)
	}
	return nodes, nil
}

// abandonOperation returns the intent after the operation of an absent node has ended.
func abandonOperation(intent operation.Intent, at time.Time) operation.Intent {
	intent = intent.Clone()
	op := intent.Current
	intent.Current = nil
	outcome := op.Outcome(at)
	outcome.Record = op.PreviousRecord
	outcome.Failure = &operation.Failure{
		Code:    operation.FailureNodeLost,
		Message: fmt.Sprintf("node %s, which ran the operation, is absent; the last step was %s", op.NodeRef(), op.Step),
	}
	intent.AddOutcome(outcome)
	return intent
}

// checkPlacement returns a RefusedError if the record names another node. A removed game
// may be started on any node.
func (s *Service) checkPlacement(request ports.OperationRequest, record *runtime.RuntimeRecord) error {
	if record == nil || node.RefOf(*record) == s.self || record.Status == runtime.StatusRemoved && request.Kind == operation.KindStart {
		return nil
	}
	return &operation.RefusedError{
		GameID: request.GameID, Operation: string(request.Kind), Status: record.Status,
		Reason: fmt.Sprintf("the game is on node %q, and this is node %q", node.RefOf(*record), s.self),
	}
}

// recordedContainerState returns the state of the record's container, empty if the
// engine has none. It fails if the engine does not respond: then an operation could not
// proceed.
func (s *Service) recordedContainerState(ctx context.Context, gameID string, record *runtime.RuntimeRecord) (container.State, error) {
	if record == nil || record.CurrentContainerID == "" {
		_, err := s.deps.Engine.List(ctx, gameID)
		return "", err
	}
	c, err := s.deps.Engine.Inspect(ctx, record.CurrentContainerID)
	if errors.Is(err, container.ErrNoContainer) {
		return "", nil
	}
	return c.State, err
}

func busyError(gameID string, op *operation.Operation) error {
	return &operation.BusyError{
		GameID: gameID, OperationID: op.ID, Kind: op.Kind, Step: op.Step,
		Holder: op.NodeRef().String(), Actor: op.Actor, Since: op.StartedAt,
	}
}

// validateRequest rejects requests that could never be carried out. It sets the
// operation ID if the request has none.
func validateRequest(request *ports.OperationRequest) error {
	faults := []error{runtime.ValidateGameID(request.GameID), request.Origin.Validate()}
	if len(request.Origin.OperationID) > maxOperationIDBytes {
		faults = append(faults, &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("has %d bytes; at most %d are allowed", len(request.Origin.OperationID), maxOperationIDBytes)})
	}
	switch request.Kind {
	case operation.KindStart:
		if request.Spec != nil && request.Spec.Image != "" {
			faults = append(faults, request.Spec.Validate())
		}
	case operation.KindPatch:
		faults = append(faults, operation.ValidateImage(request.Image))
	case operation.KindStop, operation.KindRestart, operation.KindCleanup:
	default:
		faults = append(faults, &runtime.InvalidError{Field: "kind", Reason: fmt.Sprintf("%q is not one of start, stop, restart, patch and cleanup", request.Kind)})
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	if request.Origin.OperationID == "" {
		request.Origin.OperationID = operation.NewID()
	}
	return nil
}

package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// buildIntent returns the intent that accepts the request, and the record that the
// operation starts from.
func (s *Service) buildIntent(ctx context.Context, request ports.OperationRequest, intent operation.Intent, fence node.Fence, opts executeOptions) (operation.Intent, recordState, error) {
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
	if holder == s.self { // it was interrupted; the reconcile worker resumes it
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

// checkPlacement returns a RejectedError if the record names another node. A removed game
// may be started on any node.
func (s *Service) checkPlacement(request ports.OperationRequest, record *runtime.RuntimeRecord) error {
	if record == nil || node.RefOf(*record) == s.self || record.Status == runtime.StatusRemoved && request.Kind == operation.KindStart {
		return nil
	}
	return &operation.RejectedError{
		GameID: request.GameID, Operation: string(request.Kind), Status: record.Status,
		Reason: fmt.Sprintf("the game is on node %q, and this is node %q", node.RefOf(*record), s.self),
	}
}

// recordedContainerState returns the state of the record's container, empty if the
// engine has none. It calls the engine in any case, and returns its error: without the
// engine no operation can proceed.
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

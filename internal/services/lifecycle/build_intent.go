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

// buildIntent returns the intent that accepts the request, for the game's current intent
// and record. The operation is at its first step.
func (s *Service) buildIntent(ctx context.Context, request ports.OperationRequest, intent operation.Intent, base recordState, opts executeOptions) (operation.Intent, error) {
	intent, err := s.ensureNoActiveOperation(ctx, intent, base.record)
	if err != nil {
		return intent, err
	}
	if f := opts.finding; f != nil && base.revision != f.RecordRevision {
		return intent, recordConflict(*f, base)
	}
	if err := s.checkPlacement(request, base.record); err != nil {
		return intent, err
	}
	recorded, err := s.recordedContainer(ctx, request.GameID, base.record)
	if err != nil {
		return intent, err
	}
	state := gameState{
		record: base.record, intent: intent, container: recorded.State,
		containerSecrets: recorded.Labels.Secrets, containerDigest: recorded.ImageDigest,
	}
	if base.record != nil && request.Kind == operation.KindPatch && request.Image == base.record.CurrentImageRef {
		if state.imageDigest, err = s.deps.Engine.ImageDigest(ctx, request.Image); err != nil {
			return intent, err
		}
	}
	if state.secrets, err = s.secretsToStart(ctx, request, state); err != nil {
		return intent, err
	}
	if request.Kind == operation.KindStart {
		state.hasTakenPorts = hasTakenPorts(ctx, recorded, intent.Spec)
	}
	op, err := plan(request, state)
	if err != nil {
		return intent, err
	}
	at := s.now()
	op.ID, op.Region, op.Node = request.Origin.OperationID, s.cfg.Region, s.cfg.Node
	op.Actor, op.Reason, op.PreviousRecord, op.Automatic = request.Origin.Actor, request.Origin.Reason, base.record, opts.automatic
	op.Reserved, op.AnyNode = request.IsReserved, request.AnyNode
	op.Labels, op.Metadata = request.Labels, request.Metadata
	if err := s.validateContainerSpec(ctx, request, op); err != nil {
		return intent, err
	}
	if err := s.checkImage(ctx, op); err != nil {
		return intent, err
	}
	op.Step, op.StartedAt, op.StepAt = firstStep(op), at, at
	op.StopGrace = stopGraceOf(request)
	if !opts.automatic {
		op.RequestHash = requestHash(request)
	}
	op.Deadline = at.Add(s.operationTimeout(op))
	intent = intent.Clone()
	intent.GameID, intent.Current = request.GameID, &op
	if request.Labels != nil {
		intent.Labels = request.Labels
	}
	if request.Metadata != "" {
		intent.Metadata = request.Metadata.Normal()
	}
	switch {
	case opts.restarts != nil:
		intent.Restarts = opts.restarts
	case !opts.automatic && op.Kind != operation.KindStop && op.Kind != operation.KindCleanup:
		intent.Restarts = nil // the crashes before the repair by a user do not count
	}
	return intent, nil
}

// firstStep returns the step that the operation begins with. The write that accepts the
// operation stores it, so that the step needs no write of its own. It is StepAccepted if
// there is nothing to do.
func firstStep(op operation.Operation) operation.Step {
	hasContainer := op.PreviousRecord != nil && op.PreviousRecord.Status != runtime.StatusRemoved
	switch {
	case op.Generation > 0:
		return operation.StepPulling
	case op.Kind == operation.KindStart:
		return operation.StepStarting
	case op.Kind == operation.KindPatch || !hasContainer:
		return operation.StepAccepted
	case op.Kind == operation.KindCleanup:
		return operation.StepRemoving
	default:
		return operation.StepStopping
	}
}

// validateContainerSpec returns runtime.ErrInvalid if the operation would create a container
// that the engine does not support.
func (s *Service) validateContainerSpec(ctx context.Context, request ports.OperationRequest, op operation.Operation) error {
	if op.Generation == 0 { // it creates no container
		return nil
	}
	return s.deps.Engine.ValidateSpec(ctx, newContainerSpec(s.cfg.Store, request.GameID, op))
}

// operationTimeout returns how long an operation may take before it is rolled back.
func (s *Service) operationTimeout(op operation.Operation) time.Duration {
	timeout := op.MinStopGrace() + healthTimeout(op.Spec) + 2*s.cfg.RetryTimeout
	if op.Generation > 0 {
		timeout += s.cfg.PullTimeout
	}
	return timeout
}

// ensureNoActiveOperation returns the intent without an operation in progress. It
// returns a BusyError if the node of the operation is present, and abandons the
// operation of an absent node.
func (s *Service) ensureNoActiveOperation(ctx context.Context, intent operation.Intent, record *runtime.RuntimeRecord) (operation.Intent, error) {
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
	return intent.Abandon(record, s.now()), nil
}

func (s *Service) presentNodes(ctx context.Context) ([]node.Node, error) {
	nodes, err := s.deps.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the present nodes: %w", err)
	}
	return nodes, nil
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

// recordedContainer returns the record's container, with an empty state if the engine has
// none. It calls the engine in any case, and returns its error: without the engine no
// operation can proceed.
func (s *Service) recordedContainer(ctx context.Context, gameID string, record *runtime.RuntimeRecord) (container.Container, error) {
	if record == nil || record.CurrentContainerID == "" {
		_, err := s.deps.Engine.List(ctx, gameID)
		return container.Container{}, err
	}
	c, err := s.engineOf(gameID).Inspect(ctx, record.CurrentContainerID)
	if errors.Is(err, container.ErrNoContainer) {
		return container.Container{}, nil
	}
	return c, err
}

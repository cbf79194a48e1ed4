package lifecycle

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// maxOperationIDBytes leaves room in the ledger for what tells the several
// writes of one operation apart.
const maxOperationIDBytes = ports.MaxOperationIDBytes - 32

// Execute implements ports.Executor.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := validateRequest(&request); err != nil {
		return operation.Outcome{}, err
	}
	return s.execute(ctx, request, report, operateOptions{})
}

// operateOptions are what a request of the daemon's own rests on.
type operateOptions struct {
	// finding, when not nil, is the finding at whose revisions record and intent must
	// still stand when the operation is accepted.
	finding *drift.Finding
	// editIntent, when not nil, changes the intent in the write that accepts the operation.
	editIntent func(*operation.Intent)
	// unasked: no person has asked for it.
	automatic bool
}

// execute carries out a request on its terms.
func (s *Service) execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress), opts operateOptions) (operation.Outcome, error) {
	for {
		r := s.newRun(request.GameID)
		other, err := s.lockGame(r)
		switch {
		case err != nil:
			return operation.Outcome{}, err
		case other == nil:
			return s.admit(ctx, r, request, report, opts)
		case opts.finding != nil: // what it rests on is about to change
			return operation.Outcome{}, fmt.Errorf("%s %q: %w", request.Kind, request.GameID, operation.ErrBusy)
		}
		if outcome, over, err := s.joinOrReject(ctx, other, request, report); over {
			return outcome, err
		}
	}
}

// joinOrReject is what becomes of a request while another run has the game: it joins
// the run of its own operation, and is refused for another one. It is not over
// when that run has ended meanwhile.
func (s *Service) joinOrReject(ctx context.Context, other *execution, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, bool, error) {
	select {
	case <-other.accepted:
	case <-other.done:
		return operation.Outcome{}, false, nil
	case <-ctx.Done():
		return operation.Outcome{}, true, ctx.Err()
	}
	if other.operationID() == request.Origin.OperationID {
		if kind := other.kind(); kind != request.Kind {
			return operation.Outcome{}, true, operationIDReusedError(request, kind)
		}
		outcome, err := other.watchProgress(ctx, report)
		return outcome, true, err
	}
	found, err := s.Intents.GetIntent(ctx, request.GameID)
	if err != nil {
		return operation.Outcome{}, true, err
	}
	if outcome, known := found.Intent.OutcomeOf(request.Origin.OperationID); known {
		outcome, err := replayOutcome(request, outcome)
		return outcome, true, err
	}
	if found.Intent.Current != nil {
		return operation.Outcome{}, true, busyError(request.GameID, found.Intent.Current)
	}
	select {
	case <-other.done: // it has written that it is over, and is about to be
		return operation.Outcome{}, false, nil
	case <-ctx.Done():
		return operation.Outcome{}, true, ctx.Err()
	}
}

// admit accepts the request, by writing its intent, and follows it.
func (s *Service) admit(ctx context.Context, r *execution, request ports.OperationRequest, report func(operation.Progress), opts operateOptions) (operation.Outcome, error) {
	answered, outcome, err := s.persistIntent(ctx, r, request, opts)
	if err != nil || answered {
		s.unlockGame(r)
		if err == nil {
			return replayOutcome(request, outcome)
		}
		return outcome, err
	}
	r.start()
	return r.watchProgress(ctx, report)
}

// replayOutcome answers a request that has been carried out before.
func replayOutcome(request ports.OperationRequest, outcome operation.Outcome) (operation.Outcome, error) {
	if outcome.Kind != request.Kind {
		return operation.Outcome{}, operationIDReusedError(request, outcome.Kind)
	}
	return outcome, errorOf(outcome)
}

// operationIDReusedError refuses an operation id that has been used for something else.
func operationIDReusedError(request ports.OperationRequest, kind operation.Kind) error {
	return &runtime.InvalidError{Field: "operation_id", Reason: fmt.Sprintf("%q was that of a %s; a %s needs one of its own", request.Origin.OperationID, kind, request.Kind)}
}

// persistIntent writes the intent of the request. It is answered already where the
// operation is among the game's recent ones.
func (s *Service) persistIntent(ctx context.Context, r *execution, request ports.OperationRequest, opts operateOptions) (answered bool, outcome operation.Outcome, err error) {
	for {
		found, err := s.Intents.GetIntent(ctx, r.gameID)
		if err != nil {
			return false, outcome, fmt.Errorf("read the intent of %q: %w", r.gameID, err)
		}
		if outcome, known := found.Intent.OutcomeOf(request.Origin.OperationID); known {
			return true, outcome, nil
		}
		fence, err := s.currentFence()
		if err != nil {
			return false, outcome, err
		}
		if opts.finding != nil && found.Revision != opts.finding.IntentRevision {
			return false, outcome, revisionConflict(*opts.finding, opts.finding.IntentRevision, found.Revision)
		}
		next, err := s.buildIntent(ctx, request, found.Intent, fence, opts)
		if err != nil {
			return false, outcome, err
		}
		if opts.editIntent != nil {
			opts.editIntent(&next)
		}
		version, err := s.Intents.PutIntent(ctx, next, found.IntentVersion, fence)
		switch {
		case errors.Is(err, runtime.ErrConflict):
			continue // somebody else was quicker; see what stands now
		case err != nil:
			return false, outcome, fmt.Errorf("write the intent of %q: %w", r.gameID, err)
		}
		r.intent, r.version, r.fence = next, version, fence
		return false, outcome, nil
	}
}

// buildIntent returns the intent that accepts the request.
func (s *Service) buildIntent(ctx context.Context, request ports.OperationRequest, intent operation.Intent, fence node.Fence, opts operateOptions) (operation.Intent, error) {
	if err := s.ensureNoActiveOperation(ctx, &intent); err != nil {
		return intent, err
	}
	record, revision, err := s.findRecord(ctx, request.GameID)
	if err != nil {
		return intent, err
	}
	if opts.finding != nil && revision != opts.finding.RecordRevision {
		return intent, revisionConflict(*opts.finding, opts.finding.RecordRevision, revision)
	}
	if err := s.checkPlacement(request, record); err != nil {
		return intent, err
	}
	state := gameState{record: record, intent: intent}
	if state.container, err = s.recordedContainerState(ctx, request.GameID, record); err != nil {
		return intent, err
	}
	op, err := plan(request, state)
	if err != nil {
		return intent, err
	}
	at := s.now()
	op.ID, op.Region, op.Node, op.Session = request.Origin.OperationID, s.cfg.Region, s.cfg.Node, fence.CreateRevision
	op.Actor, op.Reason, op.PreviousRecord, op.Automatic = request.Origin.Actor, request.Origin.Reason, record, opts.automatic
	op.Step, op.StartedAt, op.StepAt = operation.StepAccepted, at, at
	op.Deadline = at.Add(s.operationTimeout(op))
	intent = intent.Clone()
	intent.GameID, intent.Current = request.GameID, &op
	return intent, nil
}

// operationTimeout is how long an operation may take before it is rolled back.
func (s *Service) operationTimeout(op operation.Operation) time.Duration {
	spec := op.Spec.WithDefaults()
	allowed := time.Duration(spec.StopGrace) + time.Duration(spec.HealthTimeout) + 2*s.cfg.RetryTimeout
	if op.Generation > 0 {
		allowed += s.cfg.PullTimeout
	}
	return allowed
}

// ensureNoActiveOperation makes sure that no operation is in the way. One of a node that is gone is
// written off.
func (s *Service) ensureNoActiveOperation(ctx context.Context, intent *operation.Intent) error {
	if intent.Current == nil {
		return nil
	}
	op := *intent.Current
	if s.isLocal(op.Region, op.Node) {
		return busyError(intent.GameID, &op) // left behind, and about to be taken up again
	}
	there, err := s.whoIsThere(ctx)
	if err != nil {
		return err
	}
	if there(op.Region, op.Node) {
		return busyError(intent.GameID, &op)
	}
	abandonOperation(intent, s.now())
	return nil
}

// whoIsThere returns what tells of a node whether it is present.
func (s *Service) whoIsThere(ctx context.Context) (func(region, node string) bool, error) {
	nodes, err := s.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("see which nodes are there: %w", err)
	}
	return func(region, name string) bool {
		return slices.ContainsFunc(nodes, func(n node.Node) bool { return n.Region == region && n.Name == name })
	}, nil
}

// abandonOperation ends the operation of a node that is gone.
func abandonOperation(intent *operation.Intent, at time.Time) {
	op := intent.Current
	*intent = intent.Clone()
	intent.Current = nil
	outcome := op.Outcome(at)
	outcome.Record = op.PreviousRecord
	outcome.Failure = &operation.Failure{
		Code:    operation.FailureNodeLost,
		Message: fmt.Sprintf("node %s/%s, which carried it out, is gone; it had come to %s", op.Region, op.Node, op.Step),
	}
	intent.AddOutcome(outcome)
}

// checkPlacement refuses a game that lives elsewhere.
func (s *Service) checkPlacement(request ports.OperationRequest, record *runtime.RuntimeRecord) error {
	if record == nil || s.isLocal(record.Region, record.Node) || record.Status == runtime.StatusRemoved && request.Kind == operation.KindStart {
		return nil
	}
	return &operation.RefusedError{
		GameID: request.GameID, Operation: string(request.Kind), Status: record.Status,
		Reason: fmt.Sprintf("the game lives on node %q, and this is node %q", record.Region+"/"+record.Node, s.cfg.Region+"/"+s.cfg.Node),
	}
}

// recordedContainerState returns what the record's container does, empty where the engine has
// none. It is an error when the engine does not answer, so that no operation begins
// that cannot go on.
func (s *Service) recordedContainerState(ctx context.Context, gameID string, record *runtime.RuntimeRecord) (container.State, error) {
	if record == nil || record.CurrentContainerID == "" {
		_, err := s.Engine.List(ctx, gameID)
		return "", err
	}
	c, err := s.Engine.Inspect(ctx, record.CurrentContainerID)
	if errors.Is(err, container.ErrNoContainer) {
		return "", nil
	}
	return c.State, err
}

func busyError(gameID string, op *operation.Operation) error {
	return &operation.BusyError{
		GameID: gameID, OperationID: op.ID, Kind: op.Kind, Step: op.Step,
		Holder: op.Region + "/" + op.Node, Actor: op.Actor, Since: op.StartedAt,
	}
}

// validateRequest refuses what could never be carried out, and gives the request an
// operation id where it has none.
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
		id, err := uuid.NewV7()
		if err != nil {
			return fmt.Errorf("make an operation id: %w", err)
		}
		request.Origin.OperationID = "op_" + id.String()
	}
	return nil
}

package lifecycle

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A move passes between two nodes: the target prepares a container, the source stops the game,
// and the target starts it. Each handover is one write of the intent, which names the next node
// and no session; that node claims the operation, as it claims one that was interrupted. So at
// any time one node owns the operation, and a crash of a daemon only delays it. If the target
// fails after the source was requested to stop the game, the operation is handed back, and the
// source restarts its container.

// executeMove assigns the move of a game of this node to its target, and waits for the outcome.
func (s *Service) executeMove(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	for {
		stored, base, err := s.readRequested(ctx, &request)
		if err != nil {
			return operation.Outcome{}, err
		}
		if recent, found := stored.Intent.OutcomeOf(request.Origin.OperationID); found {
			return replayOutcome(request, recent)
		}
		if op := stored.Intent.Current; op != nil && op.ID == request.Origin.OperationID {
			if err := checkIDReuse(request, op.Kind, op.RequestHash); err != nil {
				return operation.Outcome{}, err
			}
			return s.follow(ctx, request, stored, report)
		}
		fence, err := s.currentFence()
		if err != nil {
			return operation.Outcome{}, err
		}
		next, err := s.buildMove(ctx, request, stored.Intent, base)
		if err != nil {
			return operation.Outcome{}, err
		}
		assigned, err := s.putIntent(ctx, stored, next, fence)
		op := next.Current
		if err != nil && op.Reserved && !errors.Is(err, runtime.ErrOutcomeUnknown) {
			s.releaseOn(*op.Target, request.GameID, op.ID)
		}
		switch {
		case errors.Is(err, runtime.ErrConflict): // another writer changed the intent
		case err != nil:
			return operation.Outcome{}, err
		default:
			s.log.Info("move assigned", "game_id", request.GameID, "from", s.self.String(), "to", op.Target.String(), "operation_id", op.ID, "actor", op.Actor, "reason", op.Reason)
			return s.follow(ctx, request, assigned, report)
		}
	}
}

// buildMove returns the intent that accepts the move of a game of this node.
func (s *Service) buildMove(ctx context.Context, request ports.OperationRequest, intent operation.Intent, base recordState) (operation.Intent, error) {
	intent, err := s.ensureNoActiveOperation(ctx, intent, base.record)
	switch {
	case err != nil:
		return intent, err
	case base.record == nil:
		return intent, fmt.Errorf("%s game %q: %w", request.Kind, request.GameID, runtime.ErrNotFound)
	}
	if err := s.checkPlacement(request, base.record); err != nil {
		return intent, err
	}
	state := gameState{record: base.record, intent: intent}
	if base.record.Status == runtime.StatusRemoved {
		return intent, state.rejectedError(request, "the game has been removed; start it on the other node instead")
	}
	target := *request.Target
	target.Region = cmp.Or(target.Region, s.cfg.Region)
	found, err := s.findTarget(ctx, request, state, target)
	if err != nil {
		return intent, err
	}
	at := s.now()
	op := operation.Operation{
		ID: request.Origin.OperationID, Kind: operation.KindMove, Region: target.Region, Node: target.Name, Target: &target,
		Actor: request.Origin.Actor, Reason: request.Origin.Reason, RequestHash: requestHash(request),
		StartedAt: at, StepAt: at, Step: operation.StepAccepted,
		Spec: state.spec(), Generation: state.nextGeneration(), PreviousRecord: base.record,
	}
	op.Deadline = at.Add(s.operationTimeout(op))
	if s.deps.Placer != nil && base.record.Status == runtime.StatusRunning {
		if op.Reserved, err = s.deps.Placer.ReserveTarget(ctx, request.GameID, op, found, request.Force); err != nil {
			return intent, err
		}
	}
	intent = intent.Clone()
	intent.GameID, intent.Current = request.GameID, &op
	return intent, nil
}

// findTarget returns the node if the game can be moved there, as far as its space does not matter.
func (s *Service) findTarget(ctx context.Context, request ports.OperationRequest, state gameState, target node.Ref) (node.Node, error) {
	if target == s.self {
		return node.Node{}, state.rejectedError(request, fmt.Sprintf("the game is on node %s already", target))
	}
	nodes, err := s.presentNodes(ctx)
	if err != nil {
		return node.Node{}, err
	}
	found, isPresent := node.Find(nodes, target)
	switch {
	case !isPresent:
		return found, &node.UnreachableError{Node: target, Reason: "is not among the present nodes"}
	case found.Engine == "":
		return found, state.rejectedError(request, fmt.Sprintf("node %s runs no games", target))
	case !found.Settings.IsSchedulable() && !request.Force:
		return found, state.rejectedError(request, fmt.Sprintf("node %s is cordoned; force the move to allow it", target))
	}
	return found, nil
}

// moveGame carries out the steps of a move that belong to this node.
func (e *execution) moveGame(ctx context.Context) error {
	op := e.op()
	source := node.RefOf(*op.PreviousRecord)
	if e.service.self != *op.Target {
		return e.stopForMove(ctx)
	}
	if err := e.pullAndCreate(ctx); err != nil {
		return err
	}
	switch {
	case op.PreviousRecord.Status != runtime.StatusRunning:
		return e.replaceStopped(ctx)
	case !e.op().HasReached(operation.StepStopping):
		return e.handOverTo(ctx, source, operation.StepStopping)
	default:
		return e.startAndWait(ctx, e.op().ContainerID)
	}
}

// stopForMove stops the game on its former node, and hands the operation over to the target.
func (e *execution) stopForMove(ctx context.Context) error {
	target := *e.op().Target
	if err := e.requirePresent(ctx, target); err != nil { // or the game would be stopped without need
		return err
	}
	err := e.runStep(ctx, operation.StepStopping, func(ctx context.Context) error { return e.stopPrevious(ctx, intermediateWrite) })
	if err != nil {
		return err
	}
	return e.handOverTo(ctx, target, operation.StepStarting)
}

// presenceMaxAge is how long a node that was present counts as present. A node that is lost later
// loses the operation as if it were lost after it got it.
const presenceMaxAge = time.Second

// requirePresent returns a *node.UnreachableError if the node is absent.
func (e *execution) requirePresent(ctx context.Context, ref node.Ref) error {
	if e.seenNode == ref && time.Since(e.seenNodeAt) < presenceMaxAge {
		return nil
	}
	if err := e.service.requirePresent(ctx, ref); err != nil {
		return err
	}
	e.seenNode, e.seenNodeAt = ref, time.Now()
	return nil
}

// requirePresent returns a *node.UnreachableError if the node is absent.
func (s *Service) requirePresent(ctx context.Context, ref node.Ref) error {
	nodes, err := s.presentNodes(ctx)
	if err != nil {
		return err
	}
	if _, isPresent := node.Find(nodes, ref); !isPresent {
		return &node.UnreachableError{Node: ref, Reason: "is not among the present nodes any more"}
	}
	return nil
}

// handOverTo stores that another node continues the operation at the step. It returns
// errHandedOver if it has, and a *node.UnreachableError if that node is absent.
func (e *execution) handOverTo(ctx context.Context, to node.Ref, step operation.Step) error {
	if err := e.requirePresent(ctx, to); err != nil {
		return err
	}
	err := e.updateOperation(ctx, func(op *operation.Operation) {
		op.Region, op.Node, op.Session, op.Step = to.Region, to.Name, 0, step
		op.SourceStopping = true
	})
	if err != nil {
		return err
	}
	e.report(operation.Progress{Text: "on node " + to.String()})
	return errHandedOver
}

// mustHandBack reports whether a rollback continues on the node that the game was to leave.
func (e *execution) mustHandBack() bool {
	op := e.op()
	return op.Kind == operation.KindMove && op.SourceStopping && e.service.self != node.RefOf(*op.PreviousRecord)
}

// handBack hands the rollback of a move over to the former node of the game. It returns nil if that node has
// been absent for RetryTimeout: then the operation ends here, and the game is one of a lost node. Its
// leader reschedules it by its policy, or its node starts it when it returns.
func (e *execution) handBack(ctx context.Context) error {
	source := node.RefOf(*e.op().PreviousRecord)
	err := e.handOverTo(ctx, source, operation.StepRollingBack)
	if errors.Is(err, node.ErrUnreachable) && e.service.now().Sub(e.op().StepAt) >= e.service.cfg.RetryTimeout {
		e.service.log.Warn("move ends without a rollback on the former node, which is absent", "game_id", e.gameID, "operation_id", e.op().ID, "node", source.String())
		return nil
	}
	return err
}

// takeBack returns the intent in which this node, which the game was to leave, rolls a move
// back because its target is absent.
func (s *Service) takeBack(intent operation.Intent) operation.Intent {
	intent = intent.Clone()
	op := intent.Current
	if op.Failure == nil {
		op.Failure = &operation.Failure{
			Code:    operation.FailureNodeLost,
			Message: fmt.Sprintf("node %s, to which the game was to be moved, is absent; the last step was %s", op.NodeRef(), op.Step),
		}
	}
	op.Region, op.Node, op.Session = s.cfg.Region, s.cfg.Node, 0
	op.Step, op.StepAt = operation.StepRollingBack, s.now()
	return intent
}

// restoreLocation writes the previous record if the operation has replaced it: that of a stopped
// game, whose container did not run. The former node of the game still has that container.
func (e *execution) restoreLocation(ctx context.Context) error {
	current, err := e.service.readRecord(ctx, e.gameID)
	if err != nil || current.record == nil || e.op().ContainerID == "" || current.record.CurrentContainerID != e.op().ContainerID {
		return err
	}
	record := e.op().PreviousRecord.Clone()
	record.LastOpAt, record.Generation = e.service.now(), max(record.Generation, current.record.Generation)
	record.Labels, record.Metadata = current.record.Labels, current.record.Metadata // these can have been changed in the meantime
	stored, err := e.put(ctx, record, current.revision, e.origin(rollbackWrite, e.rollbackReason()))
	if err != nil {
		return fmt.Errorf("restore the record: %w", asSuperseded(err))
	}
	e.setLastWrite(stored)
	return nil
}

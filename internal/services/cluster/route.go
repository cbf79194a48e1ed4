package cluster

import (
	"cmp"
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Execute implements ports.Executor on this node. Call Route first.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := s.requireEngine(); err != nil {
		return operation.Outcome{}, err
	}
	return s.deps.Local.Execute(ctx, request, report)
}

// Route selects the node that carries out the request; nil is this one. The caller must
// call release when the operation has ended, also after an error of Route.
//
// requested is the node or region in which the caller wants a game without a node to be
// started; its region, its name or both may be empty. A name without a region is one of this
// daemon's region. A start without a node goes to the node that is already starting the
// game, and is otherwise scheduled. isForwarded means that another node has forwarded the
// request to this one.
//
// Errors:
//   - *operation.RejectedError if requested names another node or region than the record,
//   - *node.MisdirectedError for a forwarded request that belongs to another node,
//   - *node.UnreachableError if the node is absent,
//   - node.ErrNoEngine if the node is this one and it has no engine,
//   - the errors of the store.
func (s *Service) Route(ctx context.Context, request ports.OperationRequest, requested node.Ref, isForwarded bool) (target *node.Node, release func(), _ error) {
	if requested.Name != "" {
		requested.Region = cmp.Or(requested.Region, s.self.Region)
	}
	placedOn, status, err := s.readPlacement(ctx, request.GameID)
	if request.Kind == operation.KindStop && errors.Is(err, runtime.ErrNotFound) && s.deps.Intents != nil {
		// The game may be in its first start, which the stop preempts.
		if placedOn, err = s.operationNode(ctx, request.GameID); err == nil {
			status = runtime.StatusRunning
		}
	}
	switch {
	case errors.Is(err, runtime.ErrNotFound) && request.Kind != operation.KindStart && s.deps.Local == nil:
		return nil, noRelease, err
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return nil, noRelease, err
	}
	// A removed game can be started on any node.
	isPlaced := placedOn.Name != "" && (request.Kind != operation.KindStart || status != runtime.StatusRemoved)
	if isPlaced && isOtherNode(requested, placedOn) {
		return nil, noRelease, &operation.RejectedError{
			GameID: request.GameID, Operation: string(request.Kind), Status: status,
			Reason: fmt.Sprintf("the game is on node %s; omit region and node, or clean it up before you start it on another node", placedOn),
		}
	}
	desired := requested
	switch {
	case isPlaced:
		desired = placedOn
	case request.Kind != operation.KindStart:
		desired = s.self
	case isForwarded && requested.Name == "" && (requested.Region == "" || requested.Region == s.self.Region):
		desired = s.self // the forwarding node has selected this one
	case requested.Name == "":
		// A repeated request must reach the operation that it repeats.
		if desired, err = s.findStarting(ctx, request.GameID, requested); err != nil {
			return nil, noRelease, err
		}
	}
	if isForwarded && desired != s.self {
		return nil, noRelease, &node.MisroutedError{GameID: request.GameID, Node: desired, Local: s.self}
	}
	return s.assignNode(ctx, desired, placedOn, request)
}

// isOtherNode reports whether requested names another region or node than the record does.
func isOtherNode(requested, placedOn node.Ref) bool {
	return requested.Name != "" && requested != placedOn || requested.Region != "" && requested.Region != placedOn.Region
}

// assignNode returns the node of target, or the one that the scheduler selects if target
// names none; nil is this node.
func (s *Service) assignNode(ctx context.Context, target, previous node.Ref, request ports.OperationRequest) (_ *node.Node, release func(), _ error) {
	switch {
	case target == s.self:
		return nil, noRelease, s.requireEngine()
	case target.Name != "":
		found, err := s.presentNode(ctx, target)
		return found, noRelease, err
	}
	return s.schedule(ctx, target.Region, previous, request)
}

// operationNode returns the node of the operation in progress on the game, and
// runtime.ErrNotFound if there is none.
func (s *Service) operationNode(ctx context.Context, gameID string) (node.Ref, error) {
	stored, err := s.deps.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return node.Ref{}, err
	}
	if stored.Intent.Current == nil {
		return node.Ref{}, fmt.Errorf("game %q: %w", gameID, runtime.ErrNotFound)
	}
	return stored.Intent.Current.NodeRef(), nil
}

// findStarting returns the node whose operation on the game is in progress, and requested if
// there is none.
func (s *Service) findStarting(ctx context.Context, gameID string, requested node.Ref) (node.Ref, error) {
	if s.deps.Intents == nil {
		return requested, nil
	}
	starting, err := s.operationNode(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return requested, nil
	case err != nil:
		return requested, fmt.Errorf("read the intent of %q: %w", gameID, err)
	case requested.Region != "" && starting.Region != requested.Region:
		return requested, nil
	}
	return starting, nil
}

// readPlacement returns the node that the game's record names, and the status of the
// record. It returns runtime.ErrNotFound for a game without a record.
func (s *Service) readPlacement(ctx context.Context, gameID string) (node.Ref, runtime.Status, error) {
	found, err := s.deps.Records.GetVersioned(ctx, gameID)
	if err != nil {
		return node.Ref{}, "", err
	}
	return node.RefOf(found.Record), found.Record.Status, nil
}

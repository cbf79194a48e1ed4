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

// Patch runs a patch on the node of the game, this one or another, and returns its outcome, with an
// error if it failed. The identity in ctx is the one whose request another node carries out.
//
// An error that errors.Is runtime.ErrOutcomeUnknown means that the patch may continue. A second
// call with the operation id of the request joins it, or returns its outcome. Other errors are
// those of Route and of ports.Executor.
func (s *Service) Patch(ctx context.Context, request ports.OperationRequest) (operation.Outcome, error) {
	request.Kind = operation.KindPatch
	target, release, err := s.Route(ctx, &request, node.Ref{}, false)
	if err != nil {
		return operation.Outcome{}, err
	}
	if release != nil {
		defer release()
	}
	if target == nil {
		return s.Execute(ctx, request, nil)
	}
	ctx, stop := s.WithPresence(ctx, *target)
	defer stop()
	return s.deps.Peer.Patch(ctx, *target, request)
}

// Route selects the node that carries out the request; nil is this one. A node that is to start a
// game, or to give more resources to a running one, is reserved for it: release, if it is not nil, ends that
// reservation. The caller must call it unless the request reaches the node, which ends the reservation with the operation.
//
// requested is the node or region in which the caller wants a game without a node to be
// started; its region, its name or both may be empty. A name without a region is one of this
// daemon's region. A start without a node goes to the node that is already starting the
// game, and is otherwise scheduled. isForwarded means that another node has forwarded the
// request to this one.
//
// Errors:
//   - *operation.RejectedError if requested names another node or region than the record,
//   - *node.NoCapacityError if no node, or not the requested one, has space for the game,
//   - *node.MisdirectedError for a forwarded request that belongs to another node,
//   - *node.UnreachableError if the node is absent,
//   - node.ErrNoEngine if the node is this one and it has no engine,
//   - the errors of the store.
//
// Route sets request.Seen to what it has read of the game. It reads the present nodes for a start at the same
// time as the game: in a region that is far from the leader of etcd, each read is a round trip.
func (s *Service) Route(ctx context.Context, request *ports.OperationRequest, requested node.Ref, isForwarded bool) (target *node.Node, release func(), _ error) {
	readNodes := nodeReader(s.presentNodes)
	if request.Kind == operation.KindStart && !isForwarded && s.deps.Nodes != nil {
		prefetched, stop := s.prefetchNodes(ctx)
		defer stop()
		readNodes = prefetched
	}
	d, err := s.findDestination(ctx, request, requested, isForwarded)
	d.readNodes = readNodes
	switch {
	case err != nil:
		return nil, nil, err
	case isForwarded && d.node != s.self:
		return nil, nil, &node.MisroutedError{GameID: request.GameID, Node: d.node, Local: s.self}
	case d.node == s.self && (!d.isStart && d.current == nil || s.deps.Local == nil || s.deps.Nodes == nil):
		return nil, nil, s.requireEngine()
	case s.deps.Nodes == nil && d.node.Name == "":
		return nil, nil, s.requireEngine()
	case d.node.Name == "":
		search, err := s.newSearch(ctx, d, *request)
		if err != nil {
			return nil, nil, err
		}
		return s.reserve(ctx, search)
	}
	return s.routeToNode(ctx, *request, d)
}

// routeToNode returns the node of the destination, which is reserved if it is to start the game.
func (s *Service) routeToNode(ctx context.Context, request ports.OperationRequest, d destination) (*node.Node, func(), error) {
	present, err := d.readNodes(ctx)
	if err != nil {
		return nil, nil, err
	}
	found, err := s.findPresent(present, d.node)
	switch {
	case err != nil && d.node == s.self:
		return nil, nil, nil // it reports why it is not present
	case err != nil:
		return nil, nil, err
	case d.isStart:
		return s.reserve(ctx, newNamedSearch(found, request, d.intent))
	case d.current != nil:
		return s.reserve(ctx, newGrowthSearch(found, request, d))
	}
	return &found, nil, nil
}

// destination is where a request is carried out.
type destination struct {
	// node is the node of the request; a name is empty if a node of the region is to be
	// selected, and the region too if any.
	node node.Ref
	// isStart reports that the request starts the game on a node that must have space for it.
	isStart bool
	// current, if not nil, is what a running game has requested of its node, and the request is for more than that.
	current *node.Resources
	// previous is the node that the game ran on last.
	previous node.Ref
	// intent is the intent of a game that is to be started.
	intent operation.Intent
	// readNodes reads the present nodes.
	readNodes nodeReader
}

// findDestination returns where the request is carried out, by the record and the intent of the
// game.
func (s *Service) findDestination(ctx context.Context, request *ports.OperationRequest, requested node.Ref, isForwarded bool) (destination, error) {
	if requested.Name != "" {
		requested.Region = cmp.Or(requested.Region, s.self.Region)
	}
	startsGame := request.Kind == operation.KindStart || request.Kind == operation.KindRestart
	intent, placedOn, status, err := s.readGame(ctx, request)
	if request.Kind == operation.KindStop && intent.Current != nil && (err == nil || errors.Is(err, runtime.ErrNotFound)) {
		placedOn, status, err = s.stoppingNode(ctx, *intent.Current, placedOn, status, err)
	}
	switch {
	case errors.Is(err, runtime.ErrNotFound) && request.Kind != operation.KindStart && s.deps.Local == nil:
		return destination{}, err
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return destination{}, err
	}
	// A removed game can be started on any node.
	isPlaced := placedOn.Name != "" && (request.Kind != operation.KindStart || status != runtime.StatusRemoved)
	if isPlaced && isOtherNode(requested, placedOn) {
		return destination{}, &operation.RejectedError{
			GameID: request.GameID, Operation: string(request.Kind), Status: status,
			Reason: fmt.Sprintf("the game is on node %s; omit region and node, or clean it up before you start it on another node", placedOn),
		}
	}
	d := destination{node: requested, previous: placedOn}
	switch {
	case isPlaced:
		d.node = placedOn
	case request.Kind != operation.KindStart:
		d.node = s.self
	case isForwarded && requested.Name == "" && (requested.Region == "" || requested.Region == s.self.Region):
		d.node = s.self // the forwarding node has selected this one
	}
	if !isForwarded {
		d.current, d.intent = currentOfGrowth(*request), intent
	}
	if isForwarded || !startsGame || isPlaced && status == runtime.StatusRunning {
		return d, nil
	}
	d.isStart, d.intent = true, intent
	if op := intent.Current; op != nil && (requested.Region == "" || op.Region == requested.Region) {
		// A repeated request must reach the operation that it repeats.
		d.isStart = false
		if d.node.Name == "" {
			d.node = op.NodeRef()
		}
	}
	return d, nil
}

// readGame returns the intent of the game, and node and status of its record, as of one revision, and sets
// request.Seen. It returns runtime.ErrNotFound, with the intent, for a game without a record.
func (s *Service) readGame(ctx context.Context, request *ports.OperationRequest) (operation.Intent, node.Ref, runtime.Status, error) {
	if s.deps.Intents == nil {
		placedOn, status, err := s.readPlacement(ctx, request.GameID)
		return operation.Intent{}, placedOn, status, err
	}
	stored, found, err := s.deps.Intents.GetIntentAndRecord(ctx, request.GameID)
	if err != nil {
		return operation.Intent{}, node.Ref{}, "", fmt.Errorf("read intent and record of %q: %w", request.GameID, err)
	}
	request.Seen = &ports.SeenGame{Intent: stored, Record: found}
	if found.Revision == 0 {
		return stored.Intent, node.Ref{}, "", fmt.Errorf("game %q: %w", request.GameID, runtime.ErrNotFound)
	}
	return stored.Intent, node.RefOf(found.Record), found.Record.Status, nil
}

// stoppingNode returns the node that a stop goes to while an operation is in progress: that of a first start,
// which the stop preempts, and that of a move, unless it is absent. Otherwise it is the node of the record.
func (s *Service) stoppingNode(ctx context.Context, op operation.Operation, placedOn node.Ref, status runtime.Status, notFound error) (node.Ref, runtime.Status, error) {
	switch {
	case errors.Is(notFound, runtime.ErrNotFound), status == runtime.StatusRemoved && op.Kind == operation.KindStart:
		return op.NodeRef(), runtime.StatusRunning, nil
	case op.Kind != operation.KindMove || op.NodeRef() == placedOn:
		return placedOn, status, nil
	}
	isPresent, err := s.IsPresent(ctx, op.NodeRef())
	if err == nil && isPresent {
		placedOn = op.NodeRef()
	}
	return placedOn, status, err
}

// isOtherNode reports whether requested names another region or node than the record does.
func isOtherNode(requested, placedOn node.Ref) bool {
	return requested.Name != "" && requested != placedOn || requested.Region != "" && requested.Region != placedOn.Region
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

// readPlacement returns the node that the game's record names, and the status of the
// record. It returns runtime.ErrNotFound for a game without a record.
func (s *Service) readPlacement(ctx context.Context, gameID string) (node.Ref, runtime.Status, error) {
	found, err := s.deps.Records.GetVersioned(ctx, gameID)
	if err != nil {
		return node.Ref{}, "", err
	}
	return node.RefOf(found.Record), found.Record.Status, nil
}

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
	"galaxy/rtmanager/internal/services/placement"
)

// Execute implements ports.Executor on this node. Call Route first.
func (s *Service) Execute(ctx context.Context, request ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
	if err := s.requireEngine(); err != nil {
		return operation.Outcome{}, err
	}
	return s.deps.Local.Execute(ctx, request, report)
}

// Route selects the node that carries out the request: another present node, or nil for
// this one. requested is the node or region in which the caller wants a game without a
// node to be started; its region, its name or both may be empty. A name without a region
// is one of this daemon's region. isForwarded means that another node has forwarded the
// request to this one.
//
// Errors:
//   - *operation.RejectedError if requested names another node or region than the record,
//   - *node.MisdirectedError for a forwarded request that belongs to another node,
//   - *node.UnreachableError if the node is absent,
//   - node.ErrNoEngine if the node is this one and it has no engine,
//   - the errors of the store.
func (s *Service) Route(ctx context.Context, request ports.OperationRequest, requested node.Ref, isForwarded bool) (*node.Node, error) {
	if requested.Name != "" {
		requested.Region = cmp.Or(requested.Region, s.self.Region)
	}
	placedOn, status, err := s.readPlacement(ctx, request.GameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound) && request.Kind != operation.KindStart && s.deps.Local == nil:
		return nil, err
	case err != nil && !errors.Is(err, runtime.ErrNotFound):
		return nil, err
	}
	// A removed game can be started on any node.
	isPlaced := placedOn.Name != "" && (request.Kind != operation.KindStart || status != runtime.StatusRemoved)
	if isPlaced && isOtherNode(requested, placedOn) {
		return nil, &operation.RejectedError{
			GameID: request.GameID, Operation: string(request.Kind), Status: status,
			Reason: fmt.Sprintf("the game is on node %s; omit region and node, or clean it up before you start it on another node", placedOn),
		}
	}
	target := requested
	switch {
	case isPlaced:
		target = placedOn
	case request.Kind != operation.KindStart:
		target = s.self
	case isForwarded && requested.Name == "" && (requested.Region == "" || requested.Region == s.self.Region):
		target = s.self // the forwarding node has selected this one
	}
	if isForwarded && target != s.self {
		return nil, &node.MisroutedError{GameID: request.GameID, Node: target, Local: s.self}
	}
	return s.selectNode(ctx, target, placedOn)
}

// isOtherNode reports whether requested names another region or node than the record does.
func isOtherNode(requested, placedOn node.Ref) bool {
	return requested.Name != "" && requested != placedOn || requested.Region != "" && requested.Region != placedOn.Region
}

// selectNode returns the node of target, nil for this one. If target names no node, it
// prefers in this order: previous, the node of a removed game, which may still have the
// state of the game; this node; the node that the scheduler selects.
func (s *Service) selectNode(ctx context.Context, target, previous node.Ref) (*node.Node, error) {
	switch {
	case target == s.self:
		return nil, s.requireEngine()
	case target.Name != "":
		return s.presentNode(ctx, target)
	case previous.Name != "" && previous != s.self && (target.Region == "" || target.Region == previous.Region):
		found, err := s.presentNode(ctx, previous)
		if err == nil && found.Engine != "" {
			return found, nil
		}
		if err != nil && !errors.Is(err, node.ErrUnreachable) {
			return nil, err
		}
	}
	isRegionLocal := target.Region == "" || target.Region == s.self.Region
	if isRegionLocal && (s.deps.Local != nil || s.deps.Nodes == nil) {
		return nil, s.requireEngine()
	}
	return s.schedule(ctx, target.Region)
}

// schedule returns the best of the present nodes of the region.
func (s *Service) schedule(ctx context.Context, region string) (*node.Node, error) {
	present, err := s.presentNodes(ctx)
	if err != nil {
		return nil, err
	}
	selected, found, err := s.scheduler.Select(ctx, placement.Request{Region: region, Nodes: present})
	switch {
	case err != nil:
		return nil, err
	case !found && region != "":
		return nil, &node.UnreachableError{
			Node:   node.Ref{Region: region},
			Reason: fmt.Sprintf("no node that runs games is present in region %q; start a daemon with an engine there", region),
		}
	case !found:
		return nil, &node.UnreachableError{Reason: "no node that runs games is present; start a daemon with an engine"}
	}
	return &selected, nil
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

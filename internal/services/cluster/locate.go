package cluster

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Locate returns the node of the game, nil for this one: the node of its record, or of the operation in
// progress on a game without a record. isForwarded means that another node has forwarded the request to
// this one.
//
// Errors:
//   - runtime.ErrNotFound for an unknown game,
//   - *node.MisroutedError for a forwarded request that belongs to another node,
//   - *node.UnreachableError if the node is absent,
//   - node.ErrNoEngine if the node is this one and it has no engine,
//   - the errors of the store.
func (s *Service) Locate(ctx context.Context, gameID string, isForwarded bool) (*node.Node, error) {
	ref, _, err := s.readPlacement(ctx, gameID)
	if errors.Is(err, runtime.ErrNotFound) && s.deps.Intents != nil {
		ref, err = s.operationNode(ctx, gameID)
	}
	if err != nil {
		return nil, err
	}
	return s.LocateNode(ctx, gameID, ref, isForwarded)
}

// LocateNode returns the node that serves a request about the game, nil for this one. Its errors are those of Locate.
func (s *Service) LocateNode(ctx context.Context, gameID string, ref node.Ref, isForwarded bool) (*node.Node, error) {
	switch {
	case !s.isRemote(ref):
		return nil, s.requireEngine()
	case isForwarded:
		return nil, &node.MisroutedError{GameID: gameID, Node: ref, Local: s.self}
	}
	return s.presentNode(ctx, ref)
}

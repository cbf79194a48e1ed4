package cluster

import (
	"context"
	"fmt"
	"sync"

	"galaxy/rtmanager/internal/domain/node"
)

// presentNodes returns all present nodes, none if this daemon is not part of a cluster.
func (s *Service) presentNodes(ctx context.Context) ([]node.Node, error) {
	if s.deps.Nodes == nil {
		return nil, nil
	}
	present, err := s.deps.Nodes.Nodes(ctx)
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	return present, nil
}

// presentNode returns the node of that name, or an *node.UnreachableError if it is
// absent.
func (s *Service) presentNode(ctx context.Context, ref node.Ref) (*node.Node, error) {
	present, err := s.presentNodes(ctx)
	if err != nil {
		return nil, err
	}
	found, err := s.findPresent(present, ref)
	if err != nil {
		return nil, err
	}
	return &found, nil
}

// findPresent returns the node of that name, or an *node.UnreachableError if it is not among
// the present ones.
func (s *Service) findPresent(present []node.Node, ref node.Ref) (node.Node, error) {
	if s.deps.Nodes == nil {
		return node.Node{}, &node.UnreachableError{Node: ref, Reason: "is another node, and this daemon is not part of a cluster"}
	}
	found, isPresent := node.Find(present, ref)
	if !isPresent {
		return node.Node{}, &node.UnreachableError{Node: ref, Reason: "is not among the present nodes"}
	}
	return found, nil
}

// IsPresent reports whether the node is present. A daemon that is not part of a cluster
// runs its own games only.
func (s *Service) IsPresent(ctx context.Context, ref node.Ref) (bool, error) {
	if s.deps.Nodes == nil {
		return ref == s.self && s.deps.Local != nil, nil
	}
	present, err := s.presentNodes(ctx)
	if err != nil {
		return false, err
	}
	_, isPresent := node.Find(present, ref)
	return isPresent, nil
}

// WithPresence returns a context that also ends when the node is no longer present. Its
// cause is then a *node.UnreachableError. A request needs it because a node that hangs or
// is partitioned does not close its connections. The caller must call stop, which waits
// for the watch to end.
func (s *Service) WithPresence(ctx context.Context, target node.Node) (presentCtx context.Context, stop func()) {
	presentCtx, cancel := context.WithCancelCause(ctx)
	if s.deps.Nodes == nil {
		return presentCtx, func() { cancel(nil) }
	}
	var watching sync.WaitGroup
	watching.Go(func() {
		if s.deps.Nodes.AwaitAbsence(presentCtx, target) == nil {
			cancel(&node.UnreachableError{Node: target.Ref(), Reason: "is not among the present nodes any more: it has left or was lost while it handled the request"})
		}
	})
	return presentCtx, func() {
		cancel(nil)
		watching.Wait()
	}
}

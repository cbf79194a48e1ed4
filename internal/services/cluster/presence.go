package cluster

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
)

// presenceInterval is how often WithPresence checks that a node is present.
const presenceInterval = time.Second

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
	if s.deps.Nodes == nil {
		return nil, &node.UnreachableError{Node: ref, Reason: "is another node, and this daemon is not part of a cluster"}
	}
	present, err := s.presentNodes(ctx)
	if err != nil {
		return nil, err
	}
	found, isPresent := node.Find(present, ref)
	if !isPresent {
		return nil, &node.UnreachableError{Node: ref, Reason: "is not among the present nodes"}
	}
	return &found, nil
}

// WithPresence returns a context that also ends when the node is no longer present. Its
// cause is then a *node.UnreachableError. A request needs it because a node that hangs or
// is partitioned does not close its connections. The caller must call stop, which waits
// for the check to end.
func (s *Service) WithPresence(ctx context.Context, target node.Node) (presentCtx context.Context, stop func()) {
	presentCtx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		ticker := time.NewTicker(presenceInterval)
		defer ticker.Stop()
		for {
			select {
			case <-presentCtx.Done():
				return
			case <-ticker.C:
			}
			if _, err := s.presentNode(presentCtx, target.Ref()); errors.Is(err, node.ErrUnreachable) {
				cancel(err)
				return
			}
		}
	}()
	return presentCtx, func() {
		cancel(nil)
		<-done
	}
}

package cluster

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// nodeReader returns the present nodes.
type nodeReader func(ctx context.Context) ([]node.Node, error)

// prefetchNodes begins to read the present nodes, and returns a reader that waits for that read. The caller must
// call stop, which ends the read and waits for it.
func (s *Service) prefetchNodes(ctx context.Context) (read nodeReader, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	var nodes []node.Node
	var err error
	go func() {
		defer close(done)
		nodes, err = s.presentNodes(ctx)
	}()
	read = func(context.Context) ([]node.Node, error) {
		<-done
		return nodes, err
	}
	return read, func() {
		cancel()
		<-done
	}
}

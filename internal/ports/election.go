package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// Election runs work on one node at a time. It is safe for concurrent use.
type Election interface {
	// Lead campaigns for the scope and runs work when this node becomes the leader. When
	// work returns it campaigns for the scope as before, until ctx ends.
	//
	// The context of work ends before another node can become the leader, and the fence
	// is valid for as long as this leadership lasts. Lead waits for work to return.
	Lead(ctx context.Context, scope string, work func(ctx context.Context, fence node.Fence) error) error
}

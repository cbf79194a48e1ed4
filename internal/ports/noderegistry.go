package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// NodeRegistry returns the present nodes and the leaders. Reads are linearizable. All
// methods are safe for concurrent use and end when ctx ends. Errors are those of
// RuntimeRecordStore.
type NodeRegistry interface {
	// Nodes returns every present node, ordered by region and name. A node is present
	// while its daemon keeps its session alive.
	Nodes(ctx context.Context) ([]node.Node, error)

	// Leader returns the current leader of the scope, and false if there is none.
	Leader(ctx context.Context, scope string) (node.Leader, bool, error)
}

package ports

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/node"
)

// NodeRegistry returns the nodes and the leaders. Reads are linearizable. All methods are
// safe for concurrent use and end when ctx ends. Errors are those of RuntimeRecordStore.
type NodeRegistry interface {
	// Nodes returns every present node with its settings, ordered by region and name. A node
	// is present while its daemon keeps its session alive.
	Nodes(ctx context.Context) ([]node.Node, error)

	// Overview returns the present and the absent nodes, and the leaders, as of one
	// revision. If no linearizable read is possible in time, it returns what an etcd member
	// has received, with IsStale set.
	Overview(ctx context.Context) (node.Overview, error)

	// AwaitAbsence returns nil once the session of the node has ended. It returns the cause
	// of ctx if that ends first. While etcd does not respond, the node counts as present.
	AwaitAbsence(ctx context.Context, n node.Node) error

	// SetLost stores when the loss of an absent node was detected. It changes nothing if
	// the node is present, not known, or already marked.
	SetLost(ctx context.Context, ref node.Ref, at time.Time) error

	// RemoveNode removes an absent node from the overview. It returns runtime.ErrNotFound
	// for a node that is not known, and runtime.ErrConflict for a present one.
	RemoveNode(ctx context.Context, ref node.Ref) error
}

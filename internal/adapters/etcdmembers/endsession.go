package etcdmembers

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
)

// EndSession makes a present node absent whose daemon is dead, before its lease expires. It
// changes nothing if the session of the node, as in n, has ended. The caller must know that
// the daemon is dead: it holds the lock of the directory that n.Identity identifies.
func (r *Registry) EndSession(ctx context.Context, n node.Node) error {
	if err := r.deleteKey(ctx, node.Fence{Key: r.keys.node(n.Region, n.Name), CreateRevision: n.Session}); err != nil {
		return toDomainError(ctx, "end the session of node "+n.Ref().String(), err)
	}
	return nil
}

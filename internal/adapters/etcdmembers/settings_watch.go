package etcdmembers

import (
	"context"
	"maps"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/wait"
)

// followInterval is how long a watch of the settings lasts before they are read once more: a
// watch can stall without an error.
const followInterval = 30 * time.Second

// FollowMaintenance implements ports.NodeSettingsStore by a watch and by reads at an interval.
func (r *Registry) FollowMaintenance(ctx context.Context, report func(node.Maintenance)) error {
	for ctx.Err() == nil {
		resp, err := r.get(ctx, "read the settings of the nodes", r.keys.nodeSettings(), clientv3.WithPrefix())
		if err != nil {
			if ctx.Err() == nil {
				r.log.Warn("cannot read the settings of the nodes; they count as they were", "error", err)
			}
			r.waitBeforeRetry(ctx)
			continue
		}
		current := r.newMaintenanceMap()
		for _, kv := range resp.Kvs {
			current.put(kv)
		}
		report(current.snapshot())
		r.watchMaintenance(ctx, resp.Header.GetRevision(), current, report)
	}
	return context.Cause(ctx)
}

// watchMaintenance applies the changes after the revision to current, and reports them, until
// the watch breaks or followInterval has passed.
func (r *Registry) watchMaintenance(ctx context.Context, revision int64, current maintenanceMap, report func(node.Maintenance)) {
	// RequireLeader: a member that has lost its cluster then fails the watch.
	watchCtx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), wait.Jittered(followInterval))
	defer cancel()
	for resp := range r.watchClient.Watch(watchCtx, r.keys.nodeSettings(), clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
		if resp.Err() != nil {
			break
		}
		for _, event := range resp.Events {
			if event.Type == clientv3.EventTypeDelete {
				current.remove(string(event.Kv.GetKey()))
			} else {
				current.put(event.Kv)
			}
		}
		if len(resp.Events) > 0 {
			report(current.snapshot())
		}
	}
	if ctx.Err() == nil && watchCtx.Err() == nil {
		r.waitBeforeRetry(ctx)
	}
}

// snapshot returns the settings in maps of their own.
func (m maintenanceMap) snapshot() node.Maintenance {
	return node.Maintenance{Nodes: maps.Clone(m.Nodes), Regions: maps.Clone(m.Regions)}
}

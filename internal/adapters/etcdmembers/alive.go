package etcdmembers

import (
	"context"
	"math"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/wait"
)

// alivePollInterval is the time between two reads of IsAlive.
const alivePollInterval = 200 * time.Millisecond

// IsAlive reports whether the daemon of a present node runs. The node of a daemon that was
// killed remains present until its lease expires. So IsAlive waits until the lease is renewed
// or the session ends, which takes no longer than the rest of the lease and a moment. Errors are
// those of Nodes, and the cause of ctx.
func (r *Registry) IsAlive(ctx context.Context, n node.Node) (bool, error) {
	watched := unrenewedLease{previous: math.MaxInt64}
	for {
		resp, err := r.get(ctx, "read node "+n.Ref().String(), r.keys.node(n.Region, n.Name))
		switch {
		case err != nil, len(resp.Kvs) == 0, resp.Kvs[0].GetLease() == 0:
			return false, err // nothing renews a key without a lease
		case resp.Kvs[0].GetCreateRevision() != n.Session:
			return true, nil // it has a new session
		}
		sentAt := time.Now()
		lease, err := hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.LeaseTimeToLiveResponse, error) {
			return r.client.TimeToLive(ctx, clientv3.LeaseID(resp.Kvs[0].GetLease()))
		})
		if err != nil {
			return false, toDomainError(ctx, "read the lease of node "+n.Ref().String(), err)
		}
		if watched.isRenewed(lease.TTL, sentAt) {
			return true, nil
		}
		if err := wait.For(ctx, alivePollInterval); err != nil {
			return false, err
		}
	}
}

// unrenewedLease is a lease that nothing has renewed since the first response.
type unrenewedLease struct {
	previous int64     // the TTL of the latest response; math.MaxInt64 before the first
	end      time.Time // by when the lease expires unless it is renewed
}

// isRenewed reports whether the TTL, in the response to a request of that time, shows a
// renewal. TTLs are in whole seconds, which do not show each renewal of a short lease. But one
// that has expired a second ago has a negative TTL, until etcd deletes it. The granted TTL does
// not determine that time: a new leader of etcd extends all leases by its election timeout.
func (l *unrenewedLease) isRenewed(ttl int64, sentAt time.Time) bool {
	if ttl > l.previous || ttl >= 0 && !l.end.IsZero() && sentAt.Sub(l.end) > time.Second {
		return true
	}
	// A leader that has just been elected may report an endless TTL.
	end := time.Now().Add(time.Duration(min(ttl, math.MaxInt32)+1) * time.Second)
	if l.end.IsZero() || end.Before(l.end) {
		l.end = end
	}
	l.previous = ttl
	return false
}

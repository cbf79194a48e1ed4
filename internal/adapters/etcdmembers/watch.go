package etcdmembers

import (
	"context"
	"errors"
	"iter"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// WatchNodes implements ports.NodeRegistry. What it yields has been read as a
// whole; a watch only says when to read again, and so does every LeaseTTL that
// passes, by which a watch that has died in silence does no harm. Once it has yielded, etcd may
// be away for as long as ctx lasts.
func (r *Registry) WatchNodes(ctx context.Context) iter.Seq2[[]node.Node, error] {
	return func(yield func([]node.Node, error) bool) {
		last, err := r.list(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		// A list of one's own: last must not change with what a consumer does to it.
		if !yield(slices.Clone(last.nodes), nil) {
			return
		}
		for {
			r.awaitChange(ctx, last.revision, r.keys.nodes(), clientv3.WithPrefix())
			now, err := r.list(ctx)
			switch {
			case ctx.Err() != nil:
				yield(nil, context.Cause(ctx))
				return
			case errors.Is(err, runtime.ErrUnavailable):
				r.log.Debug("the nodes cannot be listed; trying again", "error", err)
				continue
			case err != nil:
				yield(nil, err)
				return
			}
			if !slices.Equal(now.written, last.written) && !yield(slices.Clone(now.nodes), nil) {
				return
			}
			last = now
		}
	}
}

// awaitChange returns when the key has changed after the revision, and after
// LeaseTTL in any case. A watch that breaks, or that etcd has no history for, is a
// reason to look, and so it returns then as well, a little later.
func (r *Registry) awaitChange(ctx context.Context, revision int64, key string, opts ...clientv3.OpOption) {
	// RequireLeader: a member that has lost the others says so, where there is a network.
	bound, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), r.opts.LeaseTTL)
	defer cancel()
	changes := r.watchClient.Watch(bound, key, append(opts, clientv3.WithRev(revision+1))...)
	select {
	case resp, open := <-changes:
		if !open || resp.Err() != nil {
			r.pause(bound)
		}
	case <-bound.Done():
	}
}

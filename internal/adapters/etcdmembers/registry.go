package etcdmembers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync/atomic"
	"time"

	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

var _ ports.NodeRegistry = (*Registry)(nil)

// Options configure a Registry. A zero field means its default.
type Options struct {
	// Prefix is prepended to every key. It must be that of the store whose writes are
	// fenced.
	Prefix string
	// WatchClient is the client for watches; default the client of New.
	WatchClient *clientv3.Client
	// LeaseTTL is how long a node that does not renew its lease remains present; default
	// 10 s. It is rounded up for etcd, whose leases last whole seconds and at least 1 or
	// 2 s.
	LeaseTTL time.Duration
	// CallTimeout bounds one request to etcd; default 3 s.
	CallTimeout time.Duration
	// ClusterID identifies the etcd cluster. A response of another cluster ends the session
	// and each leadership. Default: the cluster that responds first.
	ClusterID uint64
	// OperationTimeout bounds the retries of a read whose caller set no deadline; default
	// 15 s.
	OperationTimeout time.Duration
	// Logger reports sessions and leaderships that end; nil discards.
	Logger *slog.Logger
}

// Registry reads the present nodes and the leaders, and lets this daemon join. It is safe
// for concurrent use, has no goroutines and need not be closed.
type Registry struct {
	client, watchClient *clientv3.Client
	etcd                *etcd.Client // client with timeouts and retries
	keys                keyspace
	opts                Options
	log                 *slog.Logger
	latency             atomic.Int64 // time.Duration of the latest successful renewal

	corrupt         *etcd.CorruptLog
	corruptSettings *etcd.CorruptLog
}

// New returns a registry on the cluster of the client. It sends no request yet. The
// caller closes the clients.
func New(client *clientv3.Client, opts Options) *Registry {
	opts.LeaseTTL = cmp.Or(opts.LeaseTTL, 10*time.Second)
	opts.CallTimeout = cmp.Or(opts.CallTimeout, 3*time.Second)
	opts.OperationTimeout = cmp.Or(opts.OperationTimeout, 15*time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	r := &Registry{
		client: client, watchClient: cmp.Or(opts.WatchClient, client),
		etcd: etcd.NewClient(client, etcd.Options{
			CallTimeout: opts.CallTimeout, OperationTimeout: opts.OperationTimeout, Logger: opts.Logger,
		}),
		keys: newKeyspace(opts.Prefix), opts: opts, log: opts.Logger,
		corrupt:         etcd.NewCorruptLog(opts.Logger, "the value of a node is corrupt; the node counts as absent"),
		corruptSettings: etcd.NewCorruptLog(opts.Logger, "the settings of a node or region are corrupt; they count as absent"),
	}
	r.etcd.SetClusterID(opts.ClusterID)
	return r
}

// checkCluster returns runtime.ErrIncompatible if another etcd cluster has responded: its
// revisions and leases are not those of this one, so it must not fence or elect anything.
func (r *Registry) checkCluster(header *etcdserverpb.ResponseHeader) error {
	if r.etcd.ClusterID() == 0 {
		r.etcd.SetClusterID(header.GetClusterId())
	}
	return r.etcd.CheckCluster(header.GetClusterId())
}

// Nodes implements ports.NodeRegistry with one linearizable transaction. It logs a corrupt value
// once, and returns the other nodes.
func (r *Registry) Nodes(ctx context.Context) ([]node.Node, error) {
	resp, err := r.etcd.ReadTxn(ctx, clientv3.OpGet(r.keys.nodes(), clientv3.WithPrefix()), clientv3.OpGet(r.keys.nodeSettings(), clientv3.WithPrefix()))
	if err != nil {
		return nil, fmt.Errorf("list the nodes: %w", err)
	}
	maintenance := r.decodeMaintenance(resp.Responses[1].GetResponseRange().GetKvs())
	return r.decodeNodes(resp.Responses[0].GetResponseRange().GetKvs(), maintenance), nil
}

// decodeNodes returns the nodes with their settings, ordered by region and name, without
// corrupt values.
func (r *Registry) decodeNodes(kvs []*mvccpb.KeyValue, maintenance node.Maintenance) []node.Node {
	nodes := []node.Node{}
	for _, kv := range kvs {
		n, err := r.keys.decodeNode(kv)
		if err != nil {
			r.corrupt.Add(kv, err)
			continue
		}
		n.Settings = maintenance.Nodes[n.Ref()]
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b node.Node) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	return nodes
}

// Leader returns the leader of the scope by one linearizable read, and false if there is
// none. A corrupt value is runtime.ErrCorrupt.
func (r *Registry) Leader(ctx context.Context, scope string) (node.Leader, bool, error) {
	if err := validateName("scope", scope); err != nil {
		return node.Leader{}, false, err
	}
	resp, err := r.get(ctx, "read the leader of "+scope, r.keys.leader(scope))
	if err != nil || len(resp.Kvs) == 0 {
		return node.Leader{}, false, err
	}
	stored, err := decodeLeader(resp.Kvs[0])
	if err != nil {
		return node.Leader{}, false, err
	}
	return node.Leader{Scope: scope, Region: stored.Region, Node: stored.Node, Fence: fenceOf(resp.Kvs[0])}, true, nil
}

// get makes a linearizable read. It retries until the caller's deadline or
// OperationTimeout.
func (r *Registry) get(ctx context.Context, operation, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := r.etcd.Get(ctx, key, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", operation, err)
	}
	return resp, nil
}

// hedged makes an idempotent request within timeout, on several endpoints if necessary. The
// error is not translated.
func hedged[T any](ctx context.Context, r *Registry, timeout time.Duration, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	// RequireLeader: a member without a leader then responds with an error at once.
	return hedge(clientv3.WithRequireLeader(ctx), r.hedgeDelay(), r.opts.LeaseTTL/5, call)
}

// hedgedLocal is hedged for a read that needs no majority.
func hedgedLocal[T any](ctx context.Context, r *Registry, timeout time.Duration, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	return hedge(ctx, r.hedgeDelay(), r.opts.LeaseTTL/5, call)
}

// hedgeDelay returns the delay before a request is sent to a second endpoint. It grows with
// the round trip time: a response that is late everywhere is not worth a second request.
func (r *Registry) hedgeDelay() time.Duration {
	ttl := r.opts.LeaseTTL
	return min(max(ttl/20, 2*time.Duration(r.latency.Load())), ttl/8)
}

// getHedged makes a linearizable read within the timeout of a few attempts.
func (r *Registry) getHedged(ctx context.Context, key string) (*clientv3.GetResponse, error) {
	return hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.GetResponse, error) {
		resp, err := r.client.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		return resp, r.checkCluster(resp.Header)
	})
}

// joinTimeout bounds the requests of one attempt to join: each may need a second endpoint.
func (r *Registry) joinTimeout() time.Duration { return 3 * r.opts.CallTimeout }

// waitForChange returns when the key has changed after the revision, and after LeaseTTL
// at the latest. It also returns, a little later, when the watch breaks or etcd has
// compacted its history: the caller then reads the key.
func (r *Registry) waitForChange(ctx context.Context, revision int64, key string) {
	// RequireLeader: a member that has lost its cluster then fails the watch.
	watchCtx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), r.opts.LeaseTTL)
	defer cancel()
	changes := r.watchClient.Watch(watchCtx, key, clientv3.WithRev(revision+1))
	select {
	case resp, open := <-changes:
		if !open || resp.Err() != nil {
			r.waitBeforeRetry(watchCtx)
		}
	case <-watchCtx.Done():
	}
}

// waitBeforeRetry waits a moment, so that a request that fails at once is not repeated at
// once. It returns when ctx ends.
func (r *Registry) waitBeforeRetry(ctx context.Context) {
	_ = wait.For(ctx, min(r.opts.LeaseTTL/10, 500*time.Millisecond))
}

// deleteKey deletes the key of the fence if the fence is still valid.
func (r *Registry) deleteKey(ctx context.Context, fence node.Fence) error {
	_, err := hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return r.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision)).
			Then(clientv3.OpDelete(fence.Key)).Commit()
	})
	return err
}

// revoke revokes a lease, which deletes its keys. A lease that does not exist is a success.
func (r *Registry) revoke(ctx context.Context, lease clientv3.LeaseID) error {
	_, err := hedged(ctx, r, r.joinTimeout(), func(ctx context.Context) (*clientv3.LeaseRevokeResponse, error) {
		return r.client.Revoke(ctx, lease)
	})
	if isLeaseNotFound(err) {
		return nil
	}
	return err
}

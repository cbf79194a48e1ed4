package etcdmembers

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

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

	mu sync.Mutex
	// corruptLogged holds the mod revision of each corrupt value that has been logged, by
	// its key.
	corruptLogged map[string]int64
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
	return &Registry{
		client: client, watchClient: cmp.Or(opts.WatchClient, client),
		etcd: etcd.NewClient(client, etcd.Options{
			CallTimeout: opts.CallTimeout, OperationTimeout: opts.OperationTimeout, Logger: opts.Logger,
		}),
		keys: newKeyspace(opts.Prefix), opts: opts, log: opts.Logger, corruptLogged: map[string]int64{},
	}
}

// Nodes implements ports.NodeRegistry with one linearizable read. It logs a corrupt value
// once, and returns the other nodes.
func (r *Registry) Nodes(ctx context.Context) ([]node.Node, error) {
	resp, err := r.get(ctx, "list the nodes", r.keys.nodes(), clientv3.WithPrefix())
	if err != nil {
		return nil, err
	}
	nodes := []node.Node{}
	for _, kv := range resp.Kvs {
		n, err := r.keys.decodeNode(kv)
		if err != nil {
			r.logCorrupt(kv, err)
			continue
		}
		nodes = append(nodes, n)
	}
	slices.SortFunc(nodes, func(a, b node.Node) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	return nodes, nil
}

// logCorrupt logs a corrupt value unless this version of it has been logged before.
func (r *Registry) logCorrupt(kv *mvccpb.KeyValue, fault error) {
	key := string(kv.GetKey())
	r.mu.Lock()
	logged := r.corruptLogged[key] == kv.GetModRevision()
	r.corruptLogged[key] = kv.GetModRevision()
	r.mu.Unlock()
	if !logged {
		r.log.Error("the value of a node is corrupt; the node counts as absent", "key", key, "error", fault)
	}
}

// Leader implements ports.NodeRegistry with one linearizable read. A corrupt value is
// runtime.ErrCorrupt.
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
	return node.Leader{Region: stored.Region, Node: stored.Node, Fence: fenceOf(resp.Kvs[0])}, true, nil
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

// getOnce makes a linearizable read without retries.
func (r *Registry) getOnce(ctx context.Context, key string) (*clientv3.GetResponse, error) {
	return etcd.TryOnce(ctx, r.etcd, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, key)
	})
}

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
	_, err := r.client.Txn(ctx).
		If(clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision)).
		Then(clientv3.OpDelete(fence.Key)).Commit()
	return err
}

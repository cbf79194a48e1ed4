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

// Options tune a Registry; zero means the default named beside it.
type Options struct {
	// Prefix goes before every key, as it does for the store whose writes are fenced.
	Prefix string
	// WatchClient makes the watches; default the client.
	WatchClient *clientv3.Client
	// LeaseTTL is how long a silent daemon counts as there. etcd's leases last whole
	// seconds, at least 1 or 2, and so it is rounded up for etcd. Default 10 s.
	LeaseTTL time.Duration
	// CallTimeout bounds one request to etcd; default 3 s. A read is repeated until
	// OperationTimeout is over, default 15 s, where its caller set no deadline.
	CallTimeout, OperationTimeout time.Duration
	// Logger hears of presences lost and leaderships ended; nil is silence.
	Logger *slog.Logger
}

// Registry reads who is there. It is safe for concurrent use, holds no goroutine
// and needs no closing.
type Registry struct {
	client, watchClient *clientv3.Client
	etcd                *etcd.Client // client with timeouts and retries
	keys                keyspace
	opts                Options
	log                 *slog.Logger

	mu     sync.Mutex
	damage map[string]int64 // keys that were complained of, with the revision of the value
}

// New returns a registry on the cluster that client talks to, which it asks
// nothing yet. The clients stay the caller's.
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
		keys: newKeyspace(opts.Prefix), opts: opts, log: opts.Logger, damage: map[string]int64{},
	}
}

// Nodes implements ports.NodeRegistry by one linearizable read. A value that
// cannot be read hides nobody else: it is logged with its key, once, and passed over.
func (r *Registry) Nodes(ctx context.Context) ([]node.Node, error) {
	listed, err := r.list(ctx)
	return listed.nodes, err
}

// listing is who was there at one revision.
type listing struct {
	nodes    []node.Node
	written  []int64 // when each was last written, in the order of the keys
	revision int64
}

func (r *Registry) list(ctx context.Context) (listing, error) {
	resp, err := r.get(ctx, "list the nodes", r.keys.nodes(), clientv3.WithPrefix())
	if err != nil {
		return listing{}, err
	}
	listed := listing{nodes: []node.Node{}, revision: resp.Header.GetRevision()}
	for _, kv := range resp.Kvs {
		node, err := r.keys.decodeNode(kv)
		if err != nil {
			r.complain(kv, err)
			continue
		}
		listed.nodes = append(listed.nodes, node)
		listed.written = append(listed.written, kv.GetModRevision())
	}
	slices.SortFunc(listed.nodes, func(a, b node.Node) int {
		return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name))
	})
	return listed, nil
}

// complain logs a damaged value unless it has been logged before.
func (r *Registry) complain(kv *mvccpb.KeyValue, fault error) {
	key := string(kv.GetKey())
	r.mu.Lock()
	known := r.damage[key] == kv.GetModRevision()
	r.damage[key] = kv.GetModRevision()
	r.mu.Unlock()
	if !known {
		r.log.Error("a node cannot be read and counts as not there", "key", key, "error", fault)
	}
}

// Leader implements ports.NodeRegistry by one linearizable read. A value that
// cannot be read is runtime.ErrCorrupt.
func (r *Registry) Leader(ctx context.Context, scope string) (node.Leader, bool, error) {
	if err := validName("scope", scope); err != nil {
		return node.Leader{}, false, err
	}
	resp, err := r.get(ctx, "read who leads "+scope, r.keys.leader(scope))
	if err != nil || len(resp.Kvs) == 0 {
		return node.Leader{}, false, err
	}
	stored, err := decodeLeader(resp.Kvs[0])
	if err != nil {
		return node.Leader{}, false, err
	}
	return node.Leader{Region: stored.Region, Node: stored.Node, Fence: fenceOf(resp.Kvs[0])}, true, nil
}

// get makes a linearizable read, with retries until the caller's deadline or
// OperationTimeout.
func (r *Registry) get(ctx context.Context, what, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	resp, err := r.etcd.Get(ctx, key, opts...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return resp, nil
}

func (r *Registry) getOnce(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	return etcd.TryOnce(ctx, r.etcd, func(ctx context.Context) (*clientv3.GetResponse, error) {
		return r.client.Get(ctx, key, opts...)
	})
}

// pause waits a little, so that what fails at once is not repeated at once.
func (r *Registry) pause(ctx context.Context) {
	pauseFor(ctx, min(r.opts.LeaseTTL/10, 500*time.Millisecond))
}

// pauseFor returns true after the time, or false at once when ctx ends.
func pauseFor(ctx context.Context, d time.Duration) bool {
	return wait.For(ctx, d) == nil
}

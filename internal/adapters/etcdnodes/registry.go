// Package etcdnodes keeps on etcd who is there and who leads: a presence per node
// and a key per leadership, all of one daemon on one lease.
//
// The election is a key that only one can create, not that of etcd's concurrency
// package: that one takes a lease and a key per candidate, and returns from its
// campaign without leadership when its lease has gone meanwhile.
package etcdnodes

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.NodeRegistry = (*Registry)(nil)

// Options tune a Registry; zero means the default named beside it.
type Options struct {
	// Prefix goes before every key.
	Prefix string
	// WatchClient makes the watches; default the client.
	WatchClient *clientv3.Client
	// LeaseTTL is how long a silent daemon counts as there, in whole seconds.
	// Default 10 s.
	LeaseTTL time.Duration
	// CallTimeout bounds one request to etcd. Default 3 s.
	CallTimeout time.Duration
	Logger      *slog.Logger
}

// Registry reads who is there. It is safe for concurrent use.
type Registry struct {
	client, watchClient *clientv3.Client
	keys                keyspace
	opts                Options
	log                 *slog.Logger
}

// New returns a registry on the cluster that client talks to. It asks etcd nothing.
func New(client *clientv3.Client, opts Options) *Registry {
	opts.LeaseTTL = cmp.Or(opts.LeaseTTL, 10*time.Second)
	opts.CallTimeout = cmp.Or(opts.CallTimeout, 3*time.Second)
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return &Registry{
		client: client, watchClient: cmp.Or(opts.WatchClient, client),
		keys: keyspace{strings.TrimRight(opts.Prefix, "/")}, opts: opts, log: opts.Logger,
	}
}

// keyspace builds every key; each family ends in a slash.
type keyspace struct{ prefix string }

func (k keyspace) nodes() string { return k.prefix + "/nodes/" }

func (k keyspace) node(region, name string) string {
	return k.nodes() + url.PathEscape(region) + "/" + url.PathEscape(name)
}

func (k keyspace) leader(scope string) string { return k.prefix + "/leaders/" + url.PathEscape(scope) }

// Nodes implements ports.NodeRegistry.
func (r *Registry) Nodes(ctx context.Context) ([]ports.Node, error) {
	nodes, _, err := r.list(ctx)
	return nodes, err
}

func (r *Registry) list(ctx context.Context) ([]ports.Node, int64, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.CallTimeout)
	defer cancel()
	resp, err := r.client.Get(ctx, r.keys.nodes(), clientv3.WithPrefix())
	if err != nil {
		return nil, 0, unavailable("list the nodes", err)
	}
	nodes := make([]ports.Node, 0, len(resp.Kvs))
	for _, kv := range resp.Kvs {
		var node ports.Node
		if err := json.Unmarshal(kv.Value, &node); err != nil || r.keys.node(node.Region, node.Name) != string(kv.Key) {
			r.log.Error("a node's value cannot be read", "key", string(kv.Key), "error", err)
			continue
		}
		node.Session = kv.CreateRevision
		nodes = append(nodes, node)
	}
	slices.SortFunc(nodes, func(a, b ports.Node) int { return cmp.Or(cmp.Compare(a.Region, b.Region), cmp.Compare(a.Name, b.Name)) })
	return nodes, resp.Header.Revision, nil
}

// WatchNodes implements ports.NodeRegistry. Besides what etcd tells, it looks for
// itself every LeaseTTL, so that a watch that has died in silence is noticed.
func (r *Registry) WatchNodes(ctx context.Context) iter.Seq2[[]ports.Node, error] {
	return func(yield func([]ports.Node, error) bool) {
		var last []ports.Node
		for first := true; ; first = false {
			nodes, revision, err := r.list(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			if first || !slices.Equal(last, nodes) {
				if !yield(nodes, nil) {
					return
				}
				last = nodes
			}
			r.awaitChange(ctx, r.keys.nodes(), revision, clientv3.WithPrefix())
			if ctx.Err() != nil {
				yield(nil, ctx.Err())
				return
			}
		}
	}
}

// awaitChange returns when the key has changed after the revision, when nobody
// can tell any more, and after LeaseTTL in any case.
func (r *Registry) awaitChange(ctx context.Context, key string, revision int64, opts ...clientv3.OpOption) {
	ctx, cancel := context.WithTimeout(clientv3.WithRequireLeader(ctx), r.opts.LeaseTTL)
	defer cancel()
	select {
	case <-r.watchClient.Watch(ctx, key, append(opts, clientv3.WithRev(revision+1))...):
	case <-ctx.Done():
	}
}

// Leader implements ports.NodeRegistry.
func (r *Registry) Leader(ctx context.Context, scope string) (ports.Leader, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, r.opts.CallTimeout)
	defer cancel()
	resp, err := r.client.Get(ctx, r.keys.leader(scope))
	if err != nil {
		return ports.Leader{}, false, unavailable("read who leads "+scope, err)
	}
	if len(resp.Kvs) == 0 {
		return ports.Leader{}, false, nil
	}
	var leader ports.Leader
	if err := json.Unmarshal(resp.Kvs[0].Value, &leader); err != nil {
		return ports.Leader{}, false, &runtime.CorruptError{Key: string(resp.Kvs[0].Key), Reason: "the value is not a leader's: " + err.Error()}
	}
	leader.Fence = ports.Fence{Key: string(resp.Kvs[0].Key), CreateRevision: resp.Kvs[0].CreateRevision}
	return leader, true, nil
}

func unavailable(what string, err error) error {
	return fmt.Errorf("%s: %w: %s", what, runtime.ErrUnavailable, err.Error())
}

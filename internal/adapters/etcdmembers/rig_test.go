package etcdmembers_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

const (
	// patience is how long a test waits for what must happen before it fails.
	patience = 30 * time.Second
	// shortTTL is for tests in which leases run out, longTTL for those in which what
	// happens must not be the work of a lease that ran out.
	shortTTL = time.Second
	longTTL  = 2 * time.Minute
)

// rig is a prefix of its own on one etcd, with a plain client that looks at its
// keys, and meddles with them.
type rig struct {
	t      *testing.T
	etcd   *clientv3.Client
	prefix string
}

func newRig(t *testing.T) rig {
	t.Helper()
	return rig{t: t, etcd: etcdtest.InProcess(t), prefix: etcdtest.Prefix(t)}
}

// registry returns one on a client, or on the rig's for nil.
func (r rig) registry(client *clientv3.Client, ttl time.Duration) *etcdmembers.Registry {
	if client == nil {
		client = r.etcd
	}
	return etcdmembers.New(client, etcdmembers.Options{Prefix: r.prefix, LeaseTTL: ttl})
}

// self is node eu/<name> with an identity of its own.
func self(name string) node.Node {
	return node.Node{
		Region: "eu", Name: name, API: "http://" + name + ".example:8080", Version: "1.2.3", Identity: uuid.NewString(), Instance: uuid.NewString(),
		Engine:    container.EngineKindProcess,
		StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func (r rig) join(registry *etcdmembers.Registry, node node.Node) *etcdmembers.Membership {
	r.t.Helper()
	m, err := registry.Join(r.t.Context(), node)
	require.NoError(r.t, err, "join as %s/%s", node.Region, node.Name)
	r.t.Cleanup(func() { require.NoError(r.t, m.Close()) })
	return m
}

func (r rig) nodes() []node.Node {
	r.t.Helper()
	nodes, err := r.registry(nil, longTTL).Nodes(r.t.Context())
	require.NoError(r.t, err)
	return nodes
}

func (r rig) names() []string {
	r.t.Helper()
	return namesOf(r.nodes())
}

func namesOf(nodes []node.Node) []string {
	names := []string{}
	for _, n := range nodes {
		names = append(names, n.Region+"/"+n.Name)
	}
	return names
}

// key returns what stands at a key below the prefix; the zero value for nothing.
func (r rig) key(key string) (value string, lease clientv3.LeaseID, created int64) {
	r.t.Helper()
	resp, err := r.etcd.Get(context.WithoutCancel(r.t.Context()), r.prefix+key)
	require.NoError(r.t, err)
	if len(resp.Kvs) == 0 {
		return "", 0, 0
	}
	kv := resp.Kvs[0]
	return string(kv.GetValue()), clientv3.LeaseID(kv.GetLease()), kv.GetCreateRevision()
}

func (r rig) plant(key, value string, opts ...clientv3.OpOption) {
	r.t.Helper()
	_, err := r.etcd.Put(r.t.Context(), r.prefix+key, value, opts...)
	require.NoError(r.t, err)
}

func (r rig) uproot(key string) {
	r.t.Helper()
	resp, err := r.etcd.Delete(r.t.Context(), r.prefix+key)
	require.NoError(r.t, err)
	require.EqualValues(r.t, 1, resp.Deleted, "there was no key %s", key)
}

func fenceOf(t *testing.T, m *etcdmembers.Membership) node.Fence {
	t.Helper()
	fence, present := m.Fence()
	require.True(t, present, "the node is not present: %v", m.Trouble())
	return fence
}

// eventually waits for a condition.
func eventually(t *testing.T, condition func() bool, what string) {
	t.Helper()
	require.Eventually(t, condition, patience, 10*time.Millisecond, what)
}

// awaitAnother waits until the node is present again, by another fence.
func awaitAnother(t *testing.T, m *etcdmembers.Membership, old node.Fence) node.Fence {
	t.Helper()
	var fence node.Fence
	eventually(t, func() bool {
		var present bool
		fence, present = m.Fence()
		return present && fence != old
	}, "the node does not come back")
	require.Equal(t, old.Key, fence.Key)
	require.Greater(t, fence.CreateRevision, old.CreateRevision)
	return fence
}

// receive takes a value from a channel, in time.
func receive[T any](t *testing.T, from <-chan T, what string) T {
	t.Helper()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case value := <-from:
		return value
	case <-timer.C:
		require.Fail(t, "nothing came", what)
		panic("unreachable")
	}
}

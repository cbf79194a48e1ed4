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
	// testTimeout is how long a test waits for an event before it fails.
	testTimeout  = 30 * time.Second
	pollInterval = 10 * time.Millisecond
	// shortTTL is for tests in which leases expire. longTTL is for tests in which
	// nothing may be the effect of an expired lease.
	shortTTL = time.Second
	longTTL  = 2 * time.Minute
)

// skipRestart skips, in short mode, a test that stops or restarts etcd.
func skipRestart(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("restarts etcd")
	}
}

// skipExpiry skips, in short mode, a test that waits for a lease or a join to time out.
func skipExpiry(t *testing.T) {
	t.Helper()
	if testing.Short() {
		t.Skip("waits for a timeout")
	}
}

// fixture is a prefix of its own in one etcd, with a plain client to read and to change
// its keys.
type fixture struct {
	t      *testing.T
	etcd   *clientv3.Client
	prefix string
}

func newFixture(t *testing.T) fixture {
	t.Helper()
	return fixture{t: t, etcd: etcdtest.InProcess(t), prefix: etcdtest.Prefix(t)}
}

// registry returns a registry on the client, and on that of the fixture for nil.
func (f fixture) registry(client *clientv3.Client, ttl time.Duration) *etcdmembers.Registry {
	if client == nil {
		client = f.etcd
	}
	return etcdmembers.New(client, etcdmembers.Options{Prefix: f.prefix, LeaseTTL: ttl})
}

// newNode returns node eu/<name> with a new identity.
func newNode(name string) node.Node {
	return node.Node{
		Region: "eu", Name: name, API: "http://" + name + ".example:8080", Version: "1.2.3", Identity: uuid.NewString(), Instance: uuid.NewString(),
		Engine:    container.EngineKindProcess,
		StartedAt: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

func (f fixture) join(registry *etcdmembers.Registry, node node.Node) *etcdmembers.Membership {
	f.t.Helper()
	m, err := registry.Join(f.t.Context(), node)
	require.NoError(f.t, err, "join as %s", node.Ref())
	f.t.Cleanup(func() { require.NoError(f.t, m.Close()) })
	return m
}

func (f fixture) nodes() []node.Node {
	f.t.Helper()
	nodes, err := f.registry(nil, longTTL).Nodes(f.t.Context())
	require.NoError(f.t, err)
	return nodes
}

// names returns the present nodes as REGION/NODE.
func (f fixture) names() []string {
	f.t.Helper()
	return namesOf(f.nodes())
}

func namesOf(nodes []node.Node) []string {
	names := []string{}
	for _, n := range nodes {
		names = append(names, n.Ref().String())
	}
	return names
}

// readRaw returns the value, the lease and the create revision of a key below the prefix,
// and zero values if it does not exist.
func (f fixture) readRaw(key string) (value string, lease clientv3.LeaseID, created int64) {
	f.t.Helper()
	resp, err := f.etcd.Get(context.WithoutCancel(f.t.Context()), f.prefix+key)
	require.NoError(f.t, err)
	if len(resp.Kvs) == 0 {
		return "", 0, 0
	}
	kv := resp.Kvs[0]
	return string(kv.GetValue()), clientv3.LeaseID(kv.GetLease()), kv.GetCreateRevision()
}

func (f fixture) putRaw(key, value string, opts ...clientv3.OpOption) {
	f.t.Helper()
	_, err := f.etcd.Put(f.t.Context(), f.prefix+key, value, opts...)
	require.NoError(f.t, err)
}

func (f fixture) deleteRaw(key string) {
	f.t.Helper()
	resp, err := f.etcd.Delete(f.t.Context(), f.prefix+key)
	require.NoError(f.t, err)
	require.EqualValues(f.t, 1, resp.Deleted, "there was no key %s", key)
}

func fenceOf(t *testing.T, m *etcdmembers.Membership) node.Fence {
	t.Helper()
	fence, present := m.Fence()
	require.True(t, present, "the node is not present: %v", m.LastError())
	return fence
}

// waitForNewSession waits until the node is present with another fence than the old one,
// and returns that.
func waitForNewSession(t *testing.T, m *etcdmembers.Membership, old node.Fence) node.Fence {
	t.Helper()
	var fence node.Fence
	require.Eventually(t, func() bool {
		var present bool
		fence, present = m.Fence()
		return present && fence != old
	}, testTimeout, pollInterval, "the node does not rejoin")
	require.Equal(t, old.Key, fence.Key)
	require.Greater(t, fence.CreateRevision, old.CreateRevision)
	return fence
}

// receive returns the next value of the channel. It fails the test after testTimeout.
func receive[T any](t *testing.T, from <-chan T, expected string) T {
	t.Helper()
	timer := time.NewTimer(testTimeout)
	defer timer.Stop()
	select {
	case value := <-from:
		return value
	case <-timer.C:
		require.Fail(t, "received nothing", expected)
		panic("unreachable")
	}
}

package etcdmembers_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestJoin checks the key of a node in etcd, and the node that other nodes read.
func TestJoin(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	joined := newNode("n/1")
	m := f.join(f.registry(nil, longTTL), joined)
	fence := fenceOf(t, m)
	require.NoError(t, m.LastError())

	value, lease, created := f.readRaw("/nodes/eu/n%2F1")
	require.Equal(t, node.Fence{Key: f.prefix + "/nodes/eu/n%2F1", CreateRevision: created}, fence)
	require.NotZero(t, lease, "the key must be bound to a lease")
	require.Contains(t, value, `"identity":"`+joined.Identity+`"`)
	require.NotContains(t, value, "session", "it is the create revision of the key")

	nodes := f.nodes()
	require.Len(t, nodes, 1)
	require.WithinDuration(t, time.Now(), nodes[0].Now, testTimeout)
	joined.Now, joined.Session = nodes[0].Now, created
	require.Equal(t, joined, nodes[0])

	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "second Close")
	_, present := m.Fence()
	require.False(t, present)
	require.Empty(t, f.names(), "Close deletes the key at once")
}

func TestJoinRejectsInvalidNames(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	for field, corrupt := range map[string]func(*node.Node){
		"region":   func(n *node.Node) { n.Region = "" },
		"node":     func(n *node.Node) { n.Name = "a\xff" },
		"identity": func(n *node.Node) { n.Identity = " " },
	} {
		node := newNode("n1")
		corrupt(&node)
		_, err := f.registry(nil, shortTTL).Join(t.Context(), node)
		var invalid *runtime.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, field, invalid.Field)
	}
	require.Empty(t, f.names())
}

// TestNameOfAPresentNodeIsTaken joins under the name of a present node.
func TestNameOfAPresentNodeIsTaken(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	first := newNode("n1")
	fence := fenceOf(t, f.join(f.registry(nil, longTTL), first))
	_, err := f.registry(nil, shortTTL).Join(t.Context(), newNode("n1"))
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "node", invalid.Field)
	require.EqualError(t, err, `node "eu/n1" is taken by the daemon at http://n1.example:8080 since 2026-03-01T12:00:00Z; stop that daemon, or choose another name`)
	_, _, created := f.readRaw("/nodes/eu/n1")
	require.Equal(t, fence.CreateRevision, created, "the key of the first node must not change")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = f.registry(nil, longTTL).Join(ctx, newNode("n1"))
	require.ErrorIs(t, err, context.Canceled)
}

// TestNameOfADeadNodeIsFreeAfterExpiry joins under the name of another node that does not
// renew its lease.
func TestNameOfADeadNodeIsFreeAfterExpiry(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	client, proxy := behindProxy(t)
	first := f.join(f.registry(client, shortTTL), newNode("n1"))
	fence := fenceOf(t, first)
	proxy.pause()
	second := f.join(f.registry(nil, shortTTL), newNode("n1"))
	require.Greater(t, fenceOf(t, second).CreateRevision, fence.CreateRevision)
	_, present := first.Fence()
	require.False(t, present, "the first node assumes that it has the name of the second")
}

// TestSameIdentityEvictsPredecessor joins from the data directory of a killed daemon whose
// lease lasts for a long time.
func TestSameIdentityEvictsPredecessor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	client, proxy := behindProxy(t)
	node := newNode("n1")
	killed := f.join(f.registry(client, longTTL), node)
	old := fenceOf(t, killed)
	oldLeadership := receive(t, startCampaign(t, killed, "eu").started, "the first leadership")
	proxy.pause()

	node.Instance = uuid.NewString()
	second := f.join(f.registry(nil, longTTL), node)
	require.Greater(t, fenceOf(t, second).CreateRevision, old.CreateRevision)
	require.Equal(t, []string{"eu/n1"}, f.names())
	next := receive(t, startCampaign(t, second, "eu").started, "a leadership of the predecessor")
	require.Greater(t, next.CreateRevision, oldLeadership.CreateRevision)
	proxy.resume()
}

// TestCopiesOfADirectoryDoNotEvictEachOther runs two daemons of one identity: the second
// evicts the first, which does not rejoin while the second is present.
func TestCopiesOfADirectoryDoNotEvictEachOther(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	node := newNode("n1")
	first := f.join(f.registry(nil, shortTTL), node)
	old := fenceOf(t, first)
	node.Instance = uuid.NewString()
	second := f.join(f.registry(nil, shortTTL), node)
	secondFence := fenceOf(t, second)
	require.Eventually(t, func() bool { return first.LastError() != nil }, testTimeout, pollInterval, "the first node does not detect the eviction")
	require.Eventually(t, func() bool { return isNameTaken(first) }, testTimeout, pollInterval, "the error of the first node does not name the second")
	_, present := first.Fence()
	require.False(t, present)
	require.Equal(t, secondFence, fenceOf(t, second))
	require.NoError(t, second.Close())
	waitForNewSession(t, first, old)
	require.NoError(t, first.LastError())
}

// TestNodeRejoinsAfterLoss deletes the keys of a node.
func TestNodeRejoinsAfterLoss(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(f fixture, lease clientv3.LeaseID){
		"the lease": func(f fixture, lease clientv3.LeaseID) {
			_, err := f.etcd.Revoke(f.t.Context(), lease)
			require.NoError(f.t, err)
		},
		"the key": func(f fixture, _ clientv3.LeaseID) { f.deleteRaw("/nodes/eu/n1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			m := f.join(f.registry(nil, shortTTL), newNode("n1"))
			old := fenceOf(t, m)
			_, lease, _ := f.readRaw("/nodes/eu/n1")
			remove(f, lease)
			fence := waitForNewSession(t, m, old)
			require.Eventually(t, func() bool { return m.LastError() == nil }, testTimeout, pollInterval, "the error remains after the rejoin")
			_, newLease, created := f.readRaw("/nodes/eu/n1")
			require.Equal(t, fence.CreateRevision, created)
			require.NotEqual(t, lease, newLease)
		})
	}
}

// TestEtcdDownForLongerThanTheTTL stops etcd: the fence ends without a response, and there
// is another one after etcd has restarted.
func TestEtcdDownForLongerThanTheTTL(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	server := etcdtest.Start(t)
	f := fixture{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	registry := etcdmembers.New(server.Client(), etcdmembers.Options{Prefix: f.prefix, LeaseTTL: shortTTL, CallTimeout: shortTTL})
	m := f.join(registry, newNode("n1"))
	old := fenceOf(t, m)
	server.Stop()
	require.Eventually(t, func() bool { _, present := m.Fence(); return !present }, testTimeout, pollInterval, "the fence does not end")
	require.Eventually(t, func() bool { return m.LastError() != nil }, testTimeout, pollInterval, "no error while etcd is down")
	server.Restart()
	waitForNewSession(t, m, old)
	require.Equal(t, []string{"eu/n1"}, f.names())
}

// TestEtcdRestartWithinTheTrustWindow restarts etcd: the session continues.
func TestEtcdRestartWithinTheTrustWindow(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	server := etcdtest.Start(t)
	f := fixture{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	m := f.join(f.registry(server.Client(), 8*time.Second), newNode("n1"))
	old := fenceOf(t, m)
	_, lease, _ := f.readRaw("/nodes/eu/n1")
	server.Restart()
	// The connection to the previous process may break later.
	ttl := func(matches func(ttl int64) bool) func() bool {
		return func() bool {
			resp, err := f.etcd.TimeToLive(t.Context(), lease)
			return err == nil && matches(resp.TTL)
		}
	}
	require.Eventually(t, ttl(func(ttl int64) bool { return ttl <= 6 }), testTimeout, pollInterval, "the lease does not run after the restart")
	require.Eventually(t, ttl(func(ttl int64) bool { return ttl > 6 }), testTimeout, pollInterval, "the lease is no longer renewed")
	require.Equal(t, old, fenceOf(t, m))
	require.NoError(t, m.LastError())
}

// TestNameTakenDuringPartition has another node take the name of a partitioned one, which
// then retries its join.
func TestNameTakenDuringPartition(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	client, proxy := behindProxy(t)
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: f.prefix, LeaseTTL: shortTTL, CallTimeout: shortTTL})
	first := f.join(registry, newNode("n1"))
	old := fenceOf(t, first)
	proxy.pause()
	second := f.join(f.registry(nil, shortTTL), newNode("n1"))
	proxy.resume()
	require.Eventually(t, func() bool { return isNameTaken(first) }, testTimeout, pollInterval, "the error of the first node does not name the second")
	secondFence := fenceOf(t, second)
	require.NoError(t, second.Close())
	require.Greater(t, waitForNewSession(t, first, old).CreateRevision, secondFence.CreateRevision)
}

// isNameTaken reports whether the node could not join because its name is taken.
func isNameTaken(m *etcdmembers.Membership) bool {
	err := m.LastError()
	return err != nil && strings.Contains(err.Error(), `node "eu/n1" is taken by the daemon at http://n1.example:8080`)
}

// TestJoinAsync does not wait: not for a name that is taken, not for etcd, and not after
// an invalid name.
func TestJoinAsync(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	f := newFixture(t)
	joinAsync := func(registry *etcdmembers.Registry, node node.Node) *etcdmembers.Membership {
		m := registry.JoinAsync(t.Context(), node)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	}
	first := joinAsync(f.registry(nil, longTTL), newNode("n1"))
	old := fenceOf(t, first)
	require.NoError(t, first.LastError())
	second := joinAsync(f.registry(nil, shortTTL), newNode("n1"))
	_, present := second.Fence()
	require.False(t, present)
	require.True(t, isNameTaken(second), "%v", second.LastError())
	require.NoError(t, first.Close())
	waitForNewSession(t, second, old)

	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	waiting := joinAsync(etcdmembers.New(client, etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2}), newNode("n1"))
	require.ErrorIs(t, waiting.LastError(), runtime.ErrUnavailable)
	server.Restart()
	waitForNewSession(t, waiting, node.Fence{Key: "/nodes/eu/n1"})
	require.ErrorIs(t, joinAsync(f.registry(nil, longTTL), node.Node{}).LastError(), runtime.ErrInvalid)
}

// TestCloseWithoutEtcd leaves while etcd is down, with and without a session.
func TestCloseWithoutEtcd(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	for name, lost := range map[string]bool{"with session": false, "without session": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			registry := etcdmembers.New(server.Client(), etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2})
			m, err := registry.Join(t.Context(), newNode("n1"))
			require.NoError(t, err)
			server.Stop()
			if lost {
				require.Eventually(t, func() bool { _, present := m.Fence(); return !present }, testTimeout, pollInterval, "the fence does not end")
			}
			require.NoError(t, m.Close())
		})
	}
}

func TestJoinWithoutEtcd(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	registry := etcdmembers.New(client, etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2})
	_, err := registry.Join(t.Context(), newNode("n1"))
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller set no deadline")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = registry.Join(ctx, newNode("n1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

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

// TestPresence spells out what a presence is in etcd and to others.
func TestPresence(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	joined := self("n/1")
	m := r.join(r.registry(nil, longTTL), joined)
	fence := fenceOf(t, m)
	require.NoError(t, m.Trouble())

	value, lease, created := r.key("/nodes/eu/n%2F1")
	require.Equal(t, node.Fence{Key: r.prefix + "/nodes/eu/n%2F1", CreateRevision: created}, fence)
	require.NotZero(t, lease, "a presence must end by itself")
	require.Contains(t, value, `"identity":"`+joined.Identity+`"`)
	require.NotContains(t, value, "session", "the key itself tells it")

	nodes := r.nodes()
	require.Len(t, nodes, 1)
	require.WithinDuration(t, time.Now(), nodes[0].Now, patience)
	joined.Now, joined.Session = nodes[0].Now, created
	require.Equal(t, joined, nodes[0])

	require.NoError(t, m.Close())
	require.NoError(t, m.Close(), "the second time")
	_, present := m.Fence()
	require.False(t, present)
	require.Empty(t, r.names(), "Close takes the presence away at once")
}

func TestJoinRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	for field, spoil := range map[string]func(*node.Node){
		"region":   func(n *node.Node) { n.Region = "" },
		"node":     func(n *node.Node) { n.Name = "a\xff" },
		"identity": func(n *node.Node) { n.Identity = " " },
	} {
		node := self("n1")
		spoil(&node)
		_, err := r.registry(nil, shortTTL).Join(t.Context(), node)
		var invalid *runtime.InvalidError
		require.ErrorAs(t, err, &invalid)
		require.Equal(t, field, invalid.Field)
	}
	require.Empty(t, r.names())
}

// TestNameOfAnotherIsRefused joins under the name of a node that is there.
func TestNameOfAnotherIsRefused(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := self("n1")
	fence := fenceOf(t, r.join(r.registry(nil, longTTL), first))
	_, err := r.registry(nil, shortTTL).Join(t.Context(), self("n1"))
	var invalid *runtime.InvalidError
	require.ErrorAs(t, err, &invalid)
	require.Equal(t, "node", invalid.Field)
	require.EqualError(t, err, `node "eu/n1" is taken by the daemon at http://n1.example:8080 since 2026-03-01T12:00:00Z; stop that one, or choose another --node`)
	_, _, created := r.key("/nodes/eu/n1")
	require.Equal(t, fence.CreateRevision, created, "the first one was disturbed")

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = r.registry(nil, longTTL).Join(ctx, self("n1"))
	require.ErrorIs(t, err, context.Canceled)
}

// TestNameOfADeadNodeIsWaitedFor joins under the name of another node that has
// fallen silent.
func TestNameOfADeadNodeIsWaitedFor(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, proxy := behindProxy(t)
	first := r.join(r.registry(client, shortTTL), self("n1"))
	fence := fenceOf(t, first)
	proxy.freeze()
	second := r.join(r.registry(nil, shortTTL), self("n1"))
	require.Greater(t, fenceOf(t, second).CreateRevision, fence.CreateRevision)
	_, present := first.Fence()
	require.False(t, present, "the first one believes in a presence that another one has")
}

// TestSameIdentityTakesOverAtOnce joins from the data directory of a daemon that
// was killed, whose lease has long to go.
func TestSameIdentityTakesOverAtOnce(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, proxy := behindProxy(t)
	node := self("n1")
	killed := r.join(r.registry(client, longTTL), node)
	old := fenceOf(t, killed)
	led := lead(t, killed, "eu")
	oldLead := receive(t, led.begun, "the first leadership")
	proxy.freeze()

	node.Instance = uuid.NewString()
	second := r.join(r.registry(nil, longTTL), node)
	require.Greater(t, fenceOf(t, second).CreateRevision, old.CreateRevision)
	require.Equal(t, []string{"eu/n1"}, r.names())
	next := receive(t, lead(t, second, "eu").begun, "what the predecessor led is free at once")
	require.Greater(t, next.CreateRevision, oldLead.CreateRevision)
	proxy.thaw()
}

// TestCopiesOfADirectoryDoNotFight runs two daemons of one identity: the second
// takes over, and the first one stays away for as long as that is there.
func TestCopiesOfADirectoryDoNotFight(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	node := self("n1")
	first := r.join(r.registry(nil, shortTTL), node)
	old := fenceOf(t, first)
	node.Instance = uuid.NewString()
	second := r.join(r.registry(nil, shortTTL), node)
	stays := fenceOf(t, second)
	eventually(t, func() bool { return first.Trouble() != nil }, "the first one does not notice")
	eventually(t, func() bool { return taken(first) }, "the first one does not say who has its name")
	_, present := first.Fence()
	require.False(t, present)
	require.Equal(t, stays, fenceOf(t, second))
	require.NoError(t, second.Close())
	awaitAnother(t, first, old)
	require.NoError(t, first.Trouble())
}

// TestLostLeaseIsJoinedAgain takes the lease away behind the daemon's back.
func TestLostLeaseIsJoinedAgain(t *testing.T) {
	t.Parallel()
	for name, lose := range map[string]func(r rig, lease clientv3.LeaseID){
		"the lease": func(r rig, lease clientv3.LeaseID) {
			_, err := r.etcd.Revoke(r.t.Context(), lease)
			require.NoError(r.t, err)
		},
		"the key": func(r rig, _ clientv3.LeaseID) { r.uproot("/nodes/eu/n1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			m := r.join(r.registry(nil, shortTTL), self("n1"))
			old, changed := fenceOf(t, m), m.Changed()
			_, lease, _ := r.key("/nodes/eu/n1")
			lose(r, lease)
			receive(t, changed, "news of the loss")
			fence := awaitAnother(t, m, old)
			eventually(t, func() bool { return m.Trouble() == nil }, "trouble that is over")
			_, again, created := r.key("/nodes/eu/n1")
			require.Equal(t, fence.CreateRevision, created)
			require.NotEqual(t, lease, again)
		})
	}
}

// TestEtcdAwayForLongerThanTheTTL stops etcd: the fence is given up without an answer
// of it, and there is another one when it is back.
func TestEtcdAwayForLongerThanTheTTL(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := rig{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	registry := etcdmembers.New(server.Client(), etcdmembers.Options{Prefix: r.prefix, LeaseTTL: shortTTL, CallTimeout: shortTTL})
	m := r.join(registry, self("n1"))
	old := fenceOf(t, m)
	server.Stop()
	eventually(t, func() bool { _, present := m.Fence(); return !present }, "the fence is not given up")
	eventually(t, func() bool { return m.Trouble() != nil }, "no word of the trouble")
	server.Restart()
	awaitAnother(t, m, old)
	require.Equal(t, []string{"eu/n1"}, r.names())
}

// TestEtcdAwayForALittle restarts etcd within the trust in the lease: nothing changes.
func TestEtcdAwayForALittle(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	r := rig{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	m := r.join(r.registry(server.Client(), 8*time.Second), self("n1"))
	old := fenceOf(t, m)
	_, lease, _ := r.key("/nodes/eu/n1")
	server.Restart()
	// The connection to the etcd before may still be about to break.
	ttl := func(is func(ttl int64) bool) func() bool {
		return func() bool {
			resp, err := r.etcd.TimeToLive(t.Context(), lease)
			return err == nil && is(resp.TTL)
		}
	}
	eventually(t, ttl(func(ttl int64) bool { return ttl <= 6 }), "the lease of a restarted etcd begins anew")
	eventually(t, ttl(func(ttl int64) bool { return ttl > 6 }), "the lease is not renewed any more")
	require.Equal(t, old, fenceOf(t, m))
	require.NoError(t, m.Trouble())
}

// TestNameTakenWhileAway has another node take the name of one that was cut off,
// which then keeps trying, and says why.
func TestNameTakenWhileAway(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	client, proxy := behindProxy(t)
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: r.prefix, LeaseTTL: shortTTL, CallTimeout: shortTTL})
	first := r.join(registry, self("n1"))
	old := fenceOf(t, first)
	proxy.freeze()
	second := r.join(r.registry(nil, shortTTL), self("n1"))
	proxy.thaw()
	eventually(t, func() bool { return taken(first) }, "the first one does not say who has its name")
	stays := fenceOf(t, second)
	require.NoError(t, second.Close())
	require.Greater(t, awaitAnother(t, first, old).CreateRevision, stays.CreateRevision)
}

// taken reports whether the node says that another one has its name.
func taken(m *etcdmembers.Membership) bool {
	trouble := m.Trouble()
	return trouble != nil && strings.Contains(trouble.Error(), `node "eu/n1" is taken by the daemon at http://n1.example:8080`)
}

// TestJoinLater does not wait: for a name that is taken, for etcd, or for what can
// never be.
func TestJoinLater(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	later := func(registry *etcdmembers.Registry, node node.Node) *etcdmembers.Membership {
		m := registry.JoinLater(t.Context(), node)
		t.Cleanup(func() { require.NoError(t, m.Close()) })
		return m
	}
	first := later(r.registry(nil, longTTL), self("n1"))
	old := fenceOf(t, first)
	require.NoError(t, first.Trouble())
	second := later(r.registry(nil, shortTTL), self("n1"))
	_, present := second.Fence()
	require.False(t, present)
	require.True(t, taken(second), "%v", second.Trouble())
	require.NoError(t, first.Close())
	awaitAnother(t, second, old)

	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	waiting := later(etcdmembers.New(client, etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2}), self("n1"))
	require.ErrorIs(t, waiting.Trouble(), runtime.ErrUnavailable)
	server.Restart()
	awaitAnother(t, waiting, node.Fence{Key: "/nodes/eu/n1"})
	require.ErrorIs(t, later(r.registry(nil, longTTL), node.Node{}).Trouble(), runtime.ErrInvalid)
}

// TestCloseWithoutEtcd leaves while etcd is away, present or not.
func TestCloseWithoutEtcd(t *testing.T) {
	t.Parallel()
	for name, lost := range map[string]bool{"present": false, "lost": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			registry := etcdmembers.New(server.Client(), etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2})
			m, err := registry.Join(t.Context(), self("n1"))
			require.NoError(t, err)
			server.Stop()
			if lost {
				eventually(t, func() bool { _, present := m.Fence(); return !present }, "the fence is not given up")
			}
			require.NoError(t, m.Close())
		})
	}
}

func TestJoinWithoutEtcd(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	registry := etcdmembers.New(client, etcdmembers.Options{LeaseTTL: shortTTL, CallTimeout: shortTTL / 2})
	_, err := registry.Join(t.Context(), self("n1"))
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller set no deadline")
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	_, err = registry.Join(ctx, self("n1"))
	require.ErrorIs(t, err, context.DeadlineExceeded)
}

package etcdmembers_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// campaign is a call of Lead whose work lasts until the leadership ends.
type campaign struct {
	started chan node.Fence // receives the fence of each leadership at its start
	causes  chan error      // receives the cause of the end of each leadership
	cancel  context.CancelFunc
	result  chan error // receives the result of Lead
}

// startCampaign starts a campaign that lasts until cancel or the end of the test.
func startCampaign(t *testing.T, m *etcdmembers.Membership, scope string) campaign {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	c := campaign{started: make(chan node.Fence, 100), causes: make(chan error, 100), cancel: cancel, result: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() {
		c.result <- m.Lead(ctx, scope, func(ctx context.Context, fence node.Fence) error {
			c.started <- fence
			<-ctx.Done()
			c.causes <- context.Cause(ctx)
			return ctx.Err()
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return c
}

func (f fixture) leader(scope string) (node.Leader, bool) {
	f.t.Helper()
	leader, found, err := f.registry(nil, longTTL).Leader(f.t.Context(), scope)
	require.NoError(f.t, err)
	return leader, found
}

func TestLeaderIsPublishedAndResigns(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	_, found := f.leader("eu/1")
	require.False(t, found)
	first := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n1")), "eu/1")
	fence := receive(t, first.started, "a leadership")
	require.Equal(t, f.prefix+"/leaders/eu%2F1", fence.Key)
	leader, found := f.leader("eu/1")
	require.True(t, found)
	require.Equal(t, node.Leader{Scope: "eu/1", Region: "eu", Node: "n1", Fence: fence}, leader)

	second := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n2")), "eu/1")
	other := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n3")), "us")
	receive(t, other.started, "a leadership of another scope")
	first.cancel()
	require.ErrorIs(t, receive(t, first.result, "the result of Lead"), context.Canceled)
	next := receive(t, second.started, "a successor before the lease expires")
	require.Greater(t, next.CreateRevision, fence.CreateRevision)
	second.cancel()
	require.ErrorIs(t, receive(t, second.result, "the result of Lead"), context.Canceled)
	_, found = f.leader("eu/1")
	require.False(t, found, "the last leader has resigned")
	require.ElementsMatch(t, []string{"eu/n1", "eu/n2", "eu/n3"}, f.names(), "a node that resigns stays present")
}

func TestCloseEndsLeadership(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	m := f.join(f.registry(nil, longTTL), newNode("n1"))
	first := startCampaign(t, m, "eu")
	receive(t, first.started, "a leadership")
	second := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n2")), "eu")
	require.NoError(t, m.Close())
	receive(t, second.started, "a successor")
	require.ErrorIs(t, receive(t, first.result, "the result of Lead"), runtime.ErrUnavailable)
	require.ErrorIs(t, m.Lead(t.Context(), "eu", nil), runtime.ErrUnavailable, "after Close")
}

// TestLeadWaitsForWork ends a campaign whose work returns later: no other node leads
// before that.
func TestLeadWaitsForWork(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	m := f.join(f.registry(nil, longTTL), newNode("n1"))
	ctx, cancel := context.WithCancel(t.Context())
	started, finish, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- m.Lead(ctx, "eu", func(ctx context.Context, _ node.Fence) error {
			close(started)
			<-ctx.Done()
			<-finish
			return nil
		})
	}()
	receive(t, started, "a leadership")
	second := startCampaign(t, f.join(f.registry(nil, shortTTL), newNode("n2")), "eu")
	cancel()
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	require.Eventually(t, func() bool { _, present := m.Fence(); return !present }, testTimeout, pollInterval, "Close does not end the session")
	require.Empty(t, second.started)
	require.Empty(t, closed, "Close did not wait")
	require.Empty(t, result, "Lead did not wait")
	_, found := f.leader("eu")
	require.True(t, found, "resigned before work returned")
	close(finish)
	receive(t, second.started, "a successor")
	require.ErrorIs(t, receive(t, result, "the result of Lead"), context.Canceled)
	require.NoError(t, receive(t, closed, "the result of Close"))
}

// TestWorkRestartsWithNewFence has work fail and succeed: each run has another fence.
func TestWorkRestartsWithNewFence(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	m := f.join(f.registry(nil, shortTTL), newNode("n1"))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var fences []node.Fence
	err := m.Lead(ctx, "eu", func(_ context.Context, fence node.Fence) error {
		fences = append(fences, fence)
		switch len(fences) {
		case 1:
			return errors.New("work failed")
		case 2:
			return nil
		}
		cancel()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, fences, 3)
	require.Less(t, fences[0].CreateRevision, fences[1].CreateRevision)
	require.Less(t, fences[1].CreateRevision, fences[2].CreateRevision)
}

func TestEmptyScopeIsInvalid(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	m := f.join(f.registry(nil, longTTL), newNode("n1"))
	var invalid *runtime.InvalidError
	require.ErrorAs(t, m.Lead(t.Context(), "", nil), &invalid)
	require.Equal(t, "scope", invalid.Field)
	_, _, err := f.registry(nil, longTTL).Leader(t.Context(), " ")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

// TestNeverTwoLeaders has many candidates, some in one daemon, lead for a moment each.
func TestNeverTwoLeaders(t *testing.T) {
	t.Parallel()
	const nodes, rounds = 4, 60
	f := newFixture(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var leading, leaderships, lastRevision atomic.Int64
	work := func(ctx context.Context, fence node.Fence) error {
		if n := leading.Add(1); n != 1 {
			return fmt.Errorf("%d leaders at a time", n) // the count stays up and fails the test
		}
		defer leading.Add(-1)
		if before := lastRevision.Swap(fence.CreateRevision); before >= fence.CreateRevision {
			t.Errorf("fence %d after %d", fence.CreateRevision, before)
		}
		if ctx.Err() == nil && leaderships.Add(1) >= rounds {
			stop()
		}
		return nil
	}
	var campaigns sync.WaitGroup
	for n := range nodes {
		m := f.join(f.registry(nil, shortTTL), newNode(fmt.Sprint("n", n)))
		for range 2 {
			campaigns.Go(func() { _ = m.Lead(ctx, "eu", work) })
		}
	}
	campaigns.Wait()
	require.GreaterOrEqual(t, leaderships.Load(), int64(rounds))
	require.Zero(t, leading.Load(), "two leaders at a time")
	_, found := f.leader("eu")
	require.False(t, found)
}

func TestLeadershipEndsWithItsKeys(t *testing.T) {
	t.Parallel()
	for name, remove := range map[string]func(f fixture){
		"the key of the leadership": func(f fixture) { f.deleteRaw("/leaders/eu") },
		"the lease": func(f fixture) {
			_, lease, _ := f.readRaw("/leaders/eu")
			_, err := f.etcd.Revoke(f.t.Context(), lease)
			require.NoError(f.t, err)
		},
		"the key of the node": func(f fixture) { f.deleteRaw("/nodes/eu/n1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			ttl := shortTTL
			if name == "the key of the leadership" {
				ttl = longTTL // the watch of the key responds at once
			}
			c := startCampaign(t, f.join(f.registry(nil, ttl), newNode("n1")), "eu")
			first := receive(t, c.started, "a leadership")
			remove(f)
			require.NotErrorIs(t, receive(t, c.causes, "the end of the leadership"), context.Canceled, "the cause must be the reason")
			second := receive(t, c.started, "another leadership")
			require.Greater(t, second.CreateRevision, first.CreateRevision)
			leader, found := f.leader("eu")
			require.True(t, found)
			require.Equal(t, second, leader.Fence)
		})
	}
}

// TestPartitionedLeader cuts a leader off from etcd. Its context ends before another node
// leads, and the store rejects its later writes.
func TestPartitionedLeader(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	store, err := etcdstore.Open(t.Context(), etcdtest.InProcess(t), etcdstore.Options{Prefix: f.prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	write := func(gameID string, fence node.Fence) error {
		at := time.Now().UTC()
		_, err := store.Put(t.Context(), ports.PutInput{Fence: &fence, Record: runtime.RuntimeRecord{
			GameID: gameID, Status: runtime.StatusRunning, CurrentContainerID: "c", CreatedAt: at, LastOpAt: at, StartedAt: &at,
		}})
		return err
	}
	client, proxy := behindProxy(t)
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: f.prefix, LeaseTTL: 2 * time.Second, CallTimeout: shortTTL})
	m := f.join(registry, newNode("n1"))
	first := startCampaign(t, m, "eu")
	fence := receive(t, first.started, "a leadership")
	second := startCampaign(t, f.join(f.registry(nil, longTTL), newNode("n2")), "eu")
	require.NoError(t, write("a", fence))
	require.NoError(t, write("b", fenceOf(t, m)), "the session is a fence as well")
	session := fenceOf(t, m)

	proxy.pause()
	next := receive(t, second.started, "a successor")
	require.Len(t, first.causes, 1, "another node leads before the context of the first leader has ended")
	_, present := m.Fence()
	require.False(t, present)
	require.ErrorIs(t, write("a", fence), runtime.ErrFenced)
	require.ErrorIs(t, write("b", session), runtime.ErrFenced)
	require.NoError(t, write("a", next))

	proxy.resume()
	require.NoError(t, write("b", waitForNewSession(t, m, session)))
	second.cancel()
	receive(t, first.started, "a second leadership of the first node")
}

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

// led is a campaign under way.
type led struct {
	begun  chan node.Fence // for each leadership, while it lasts
	ended  chan error      // why the context of each ended
	leave  context.CancelFunc
	result chan error // of Lead
}

// lead campaigns until the test ends, and works until the leadership is over.
func lead(t *testing.T, m *etcdmembers.Membership, scope string) led {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	l := led{begun: make(chan node.Fence, 100), ended: make(chan error, 100), leave: cancel, result: make(chan error, 1)}
	var running sync.WaitGroup
	running.Go(func() {
		l.result <- m.Lead(ctx, scope, func(ctx context.Context, fence node.Fence) error {
			l.begun <- fence
			<-ctx.Done()
			l.ended <- context.Cause(ctx)
			return ctx.Err()
		})
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return l
}

func (r rig) leader(scope string) (node.Leader, bool) {
	r.t.Helper()
	leader, found, err := r.registry(nil, longTTL).Leader(r.t.Context(), scope)
	require.NoError(r.t, err)
	return leader, found
}

func TestLeaderIsKnownAndResigns(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	_, found := r.leader("eu/1")
	require.False(t, found)
	first := lead(t, r.join(r.registry(nil, longTTL), self("n1")), "eu/1")
	fence := receive(t, first.begun, "a leadership")
	require.Equal(t, r.prefix+"/leaders/eu%2F1", fence.Key)
	leader, found := r.leader("eu/1")
	require.True(t, found)
	require.Equal(t, node.Leader{Region: "eu", Node: "n1", Fence: fence}, leader)

	second := lead(t, r.join(r.registry(nil, longTTL), self("n2")), "eu/1")
	other := lead(t, r.join(r.registry(nil, longTTL), self("n3")), "us")
	receive(t, other.begun, "scopes are apart")
	first.leave()
	require.ErrorIs(t, receive(t, first.result, "Lead"), context.Canceled)
	next := receive(t, second.begun, "a successor, long before a lease ends")
	require.Greater(t, next.CreateRevision, fence.CreateRevision)
	second.leave()
	require.ErrorIs(t, receive(t, second.result, "Lead"), context.Canceled)
	_, found = r.leader("eu/1")
	require.False(t, found, "the last one has resigned")
	require.ElementsMatch(t, []string{"eu/n1", "eu/n2", "eu/n3"}, r.names(), "who resigns stays present")
}

func TestCloseHandsOver(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.join(r.registry(nil, longTTL), self("n1"))
	first := lead(t, m, "eu")
	receive(t, first.begun, "a leadership")
	second := lead(t, r.join(r.registry(nil, longTTL), self("n2")), "eu")
	require.NoError(t, m.Close())
	receive(t, second.begun, "a successor")
	require.ErrorIs(t, receive(t, first.result, "Lead"), runtime.ErrUnavailable)
	require.ErrorIs(t, m.Lead(t.Context(), "eu", nil), runtime.ErrUnavailable, "after Close")
}

// TestLeadWaitsForWork ends a campaign whose work takes its time: nobody leads
// before it has returned.
func TestLeadWaitsForWork(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.join(r.registry(nil, longTTL), self("n1"))
	ctx, leave := context.WithCancel(t.Context())
	begun, finish, result := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	go func() {
		result <- m.Lead(ctx, "eu", func(ctx context.Context, _ node.Fence) error {
			close(begun)
			<-ctx.Done()
			<-finish
			return nil
		})
	}()
	receive(t, begun, "a leadership")
	second := lead(t, r.join(r.registry(nil, shortTTL), self("n2")), "eu")
	leave()
	closed := make(chan error, 1)
	go func() { closed <- m.Close() }()
	eventually(t, func() bool { _, present := m.Fence(); return !present }, "Close does not end the presence")
	require.Empty(t, second.begun)
	require.Empty(t, closed, "Close has not waited")
	require.Empty(t, result, "Lead has not waited")
	_, found := r.leader("eu")
	require.True(t, found, "resigned under work that goes on")
	close(finish)
	receive(t, second.begun, "a successor")
	require.ErrorIs(t, receive(t, result, "Lead"), context.Canceled)
	require.NoError(t, receive(t, closed, "Close"))
}

// TestWorkThatEndsIsBegunAgain has work fail and succeed: each time it is led by another fence.
func TestWorkThatEndsIsBegunAgain(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.join(r.registry(nil, shortTTL), self("n1"))
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	var fences []node.Fence
	err := m.Lead(ctx, "eu", func(_ context.Context, fence node.Fence) error {
		fences = append(fences, fence)
		switch len(fences) {
		case 1:
			return errors.New("no luck")
		case 2:
			return nil
		}
		leave()
		return nil
	})
	require.ErrorIs(t, err, context.Canceled)
	require.Len(t, fences, 3)
	require.Less(t, fences[0].CreateRevision, fences[1].CreateRevision)
	require.Less(t, fences[1].CreateRevision, fences[2].CreateRevision)
}

func TestScopeMustBeNamed(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	m := r.join(r.registry(nil, longTTL), self("n1"))
	var invalid *runtime.InvalidError
	require.ErrorAs(t, m.Lead(t.Context(), "", nil), &invalid)
	require.Equal(t, "scope", invalid.Field)
	_, _, err := r.registry(nil, longTTL).Leader(t.Context(), " ")
	require.ErrorIs(t, err, runtime.ErrInvalid)
}

// TestNeverTwoAtATime has many campaigners, some in one daemon, lead for a moment
// each, while keys and leases are taken away from under them.
func TestNeverTwoAtATime(t *testing.T) {
	t.Parallel()
	const nodes, turns = 4, 60
	r := newRig(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var leading, led, last atomic.Int64
	work := func(ctx context.Context, fence node.Fence) error {
		if now := leading.Add(1); now != 1 {
			return fmt.Errorf("%d at a time", now) // counted below
		}
		defer leading.Add(-1)
		if before := last.Swap(fence.CreateRevision); before >= fence.CreateRevision {
			t.Errorf("fence %d after %d", fence.CreateRevision, before)
		}
		if ctx.Err() == nil && led.Add(1) >= turns {
			stop()
		}
		return nil
	}
	var campaigns sync.WaitGroup
	for n := range nodes {
		m := r.join(r.registry(nil, shortTTL), self(fmt.Sprint("n", n)))
		for range 2 {
			campaigns.Go(func() { _ = m.Lead(ctx, "eu", work) })
		}
	}
	campaigns.Wait()
	require.GreaterOrEqual(t, led.Load(), int64(turns))
	require.Zero(t, leading.Load(), "two led at a time")
	_, found := r.leader("eu")
	require.False(t, found)
}

func TestLeadershipThatIsTakenAwayEnds(t *testing.T) {
	t.Parallel()
	for name, take := range map[string]func(r rig){
		"the key of the leadership": func(r rig) { r.uproot("/leaders/eu") },
		"the lease": func(r rig) {
			_, lease, _ := r.key("/leaders/eu")
			_, err := r.etcd.Revoke(r.t.Context(), lease)
			require.NoError(r.t, err)
		},
		"the presence": func(r rig) { r.uproot("/nodes/eu/n1") },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t)
			ttl := shortTTL
			if name == "the key of the leadership" {
				ttl = longTTL // a watch tells at once
			}
			l := lead(t, r.join(r.registry(nil, ttl), self("n1")), "eu")
			first := receive(t, l.begun, "a leadership")
			take(r)
			require.NotErrorIs(t, receive(t, l.ended, "the end of it"), context.Canceled, "the cause says why")
			second := receive(t, l.begun, "another leadership")
			require.Greater(t, second.CreateRevision, first.CreateRevision)
			leader, found := r.leader("eu")
			require.True(t, found)
			require.Equal(t, second, leader.Fence)
		})
	}
}

// TestFrozenLeader cuts a leader off from etcd without a word. Its context has
// ended before another one leads, and what it writes from then on is refused.
func TestFrozenLeader(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	store, err := etcdstore.Open(t.Context(), etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
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
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: r.prefix, LeaseTTL: 2 * time.Second, CallTimeout: shortTTL})
	m := r.join(registry, self("n1"))
	first := lead(t, m, "eu")
	fence := receive(t, first.begun, "a leadership")
	second := lead(t, r.join(r.registry(nil, longTTL), self("n2")), "eu")
	require.NoError(t, write("a", fence))
	require.NoError(t, write("b", fenceOf(t, m)), "the presence is a fence as well")
	presence := fenceOf(t, m)

	proxy.freeze()
	next := receive(t, second.begun, "a successor")
	require.Len(t, first.ended, 1, "another one leads, and the first has not been told that it is over")
	_, present := m.Fence()
	require.False(t, present)
	require.ErrorIs(t, write("a", fence), runtime.ErrFenced)
	require.ErrorIs(t, write("b", presence), runtime.ErrFenced)
	require.NoError(t, write("a", next))

	proxy.thaw()
	require.NoError(t, write("b", awaitAnother(t, m, presence)))
	second.leave()
	receive(t, first.begun, "the first one leads again after the second")
}

package failover_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// stand is a game of a lost node, and a leader that does not know that it is none
// any more: the others have another.
type stand struct {
	old   *nodetest.Node
	fence node.Fence
	seen  runtime.VersionedRecord
}

// requireHarmless lets the leader of old do what it still believes in.
func (s stand) requireHarmless(t *testing.T) {
	t.Helper()
	before, err := s.old.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	to := node.Node{Region: "eu", Name: "n3"} // who is there
	require.ErrorIs(t, s.old.Service.Reschedule(t.Context(), s.seen, to, s.fence), runtime.ErrFenced)
	eventually(t, "its worker is refused too", func() bool {
		return errors.Is(s.old.Failover.Pass(t.Context(), s.fence), runtime.ErrFenced)
	})
	after, err := s.old.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, before, after)
	now, err := s.old.Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, s.seen, now)
}

// lose makes three nodes of which the first has a game and is gone.
func lose(t *testing.T) ([]*nodetest.Node, runtime.VersionedRecord) {
	t.Helper()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Nanosecond})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[0].Crash()
	vanish(t, n[0])
	seen, err := n[1].Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	return n, seen
}

// Somebody takes the leadership away while the leader is busy with something else.
func TestDeposedLeaderDoesNoHarm(t *testing.T) {
	t.Parallel()
	n, seen := lose(t)
	fence := leading(t, n[1])
	_, err := etcdtest.InProcess(t).Delete(t.Context(), fence.Key)
	require.NoError(t, err)
	require.NotEqual(t, fence, leading(t, n[2]))
	stand{n[1], fence, seen}.requireHarmless(t)
}

// A leader is cut off for longer than its lease lasts, and knows nothing of it when
// the network is there again.
func TestLeaderThatWasCutOffDoesNoHarm(t *testing.T) {
	t.Parallel()
	n, seen := lose(t)
	cfg := n[1].Config
	cfg.Client, cfg.Name, cfg.Identity, cfg.LeaseTTL = nil, "n4", "", shortTTL
	old := nodetest.New(t, cfg)
	fence := leading(t, old)
	old.Partition()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, old.Service.Reschedule(ctx, seen, node.Node{Region: "eu", Name: "n4"}, fence))
	leading(t, n[2]) // which waits for the lease to run out
	old.Reconnect()
	stand{old, fence, seen}.requireHarmless(t)
}

// One who saw the game before it moved changes nothing, however rightly he leads.
func TestReassignOfWhatHasMovedOn(t *testing.T) {
	t.Parallel()
	n, seen := lose(t)
	fence := leading(t, n[1])
	to := node.Node{Region: "eu", Name: "n2"}
	require.NoError(t, n[1].Service.Reschedule(t.Context(), seen, to, fence))
	err := n[1].Service.Reschedule(t.Context(), seen, to, fence)
	require.ErrorIs(t, err, operation.ErrBusy, "a node that is there has it")
	_, err = n[1].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	before, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.ErrorIs(t, n[1].Service.Reschedule(t.Context(), seen, to, fence), runtime.ErrConflict)
	after, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// terms are the leaderships that there were, by the contexts that they came with.
type terms struct {
	mu    sync.Mutex
	begun []context.Context
}

// begin writes a leadership down. It reports whether no other one is good any more.
func (x *terms) begin(ctx context.Context) (alone bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	alone = !slices.ContainsFunc(x.begun, func(other context.Context) bool { return other.Err() == nil })
	x.begun = append(x.begun, ctx)
	return alone
}

func (x *terms) count() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.begun)
}

// witnessed is an election at which somebody looks on.
type witnessed struct {
	ports.Election
	t     *testing.T
	terms *terms
}

func (w witnessed) Lead(ctx context.Context, scope string, work func(context.Context, node.Fence) error) error {
	return w.Election.Lead(ctx, scope, func(ctx context.Context, fence node.Fence) error {
		assert.True(w.t, w.terms.begin(ctx), "two lead at the same time")
		return work(ctx, fence)
	})
}

// Three nodes, of which the one that leads is cut off or killed, time and again.
func TestOneLeadsAtATime(t *testing.T) {
	t.Parallel()
	all := &terms{}
	cfg := nodetest.Config{
		Prefix: etcdtest.Prefix(t), Region: "eu", LeaseTTL: shortTTL, NodeLostGrace: time.Minute,
		WrapElection: func(e ports.Election) ports.Election { return witnessed{e, t, all} },
	}
	n := map[string]*nodetest.Node{}
	for _, name := range []string{"n1", "n2", "n3"} {
		cfg.Name = name
		n[name] = nodetest.New(t, cfg)
		n[name].Run()
	}
	onlooker := nodetest.New(t, nodetest.Config{Prefix: cfg.Prefix, Region: "us", Name: "onlooker"})
	after := func(revision int64) (now node.Leader) {
		eventually(t, "another one leads", func() bool {
			leader, found, err := onlooker.Registry.Leader(t.Context(), "eu")
			now = leader
			return assert.NoError(t, err) && found && now.Fence.CreateRevision > revision
		})
		return now
	}
	now := after(0)
	for round := range 4 {
		fallen := n[now.Node]
		if round%2 == 0 {
			fallen.Partition()
		} else {
			fallen.Crash()
		}
		now = after(now.Fence.CreateRevision)
		if round%2 == 0 {
			fallen.Reconnect()
		} else {
			n[fallen.Config.Name] = fallen.Restart()
			n[fallen.Config.Name].Run()
		}
	}
	eventually(t, "the last one begins", func() bool { return all.count() >= 5 })
}

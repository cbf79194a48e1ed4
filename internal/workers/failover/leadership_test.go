package failover_test

import (
	"context"
	"errors"
	"maps"
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

// formerLeader is a node that has lost its leadership undetected, and a game of a
// lost node.
type formerLeader struct {
	node  *nodetest.Node
	fence node.Fence
	seen  runtime.VersionedRecord
}

// requireFenced requires that all writes of the former leader fail.
func (l formerLeader) requireFenced(t *testing.T) {
	t.Helper()
	before, err := l.node.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	to := node.Ref{Region: "eu", Name: "n3"} // present
	require.ErrorIs(t, l.node.Service.Reschedule(t.Context(), l.seen, operation.Assignment{To: to}, l.fence), runtime.ErrFenced)
	require.Eventually(t, func() bool {
		return errors.Is(l.node.Failover.Pass(t.Context(), l.fence), runtime.ErrFenced)
	}, nodetest.Timeout, 10*time.Millisecond, "the pass of its worker is fenced too")
	after, err := l.node.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, before, after)
	current, err := l.node.Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, l.seen, current)
}

// newLostGame returns three nodes and the record of a game on the first one, which is lost.
func newLostGame(t *testing.T) ([]*nodetest.Node, runtime.VersionedRecord) {
	t.Helper()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Nanosecond})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[0].Crash()
	expireSession(t, n[0])
	seen, err := n[1].Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	return n, seen
}

// The leader key is deleted while the leader is busy.
func TestFormerLeaderIsFenced(t *testing.T) {
	t.Parallel()
	n, seen := newLostGame(t)
	fence := becomeLeader(t, n[1])
	_, err := etcdtest.InProcess(t).Delete(t.Context(), fence.Key)
	require.NoError(t, err)
	require.NotEqual(t, fence, becomeLeader(t, n[2]))
	formerLeader{n[1], fence, seen}.requireFenced(t)
}

// A leader is partitioned until its lease expires, and has not detected that when it reconnects.
func TestPartitionedLeaderIsFenced(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	n, seen := newLostGame(t)
	cfg := n[1].Config
	cfg.Client, cfg.Name, cfg.Identity, cfg.LeaseTTL = nil, "n4", "", shortTTL
	partitioned := nodetest.New(t, cfg)
	fence := becomeLeader(t, partitioned)
	partitioned.Partition()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.Error(t, partitioned.Service.Reschedule(ctx, seen, operation.Assignment{To: node.Ref{Region: "eu", Name: "n4"}}, fence))
	becomeLeader(t, n[2]) // waits until the lease expires
	partitioned.Reconnect()
	formerLeader{partitioned, fence, seen}.requireFenced(t)
}

// A stale record changes nothing, even under a valid fence.
func TestRescheduleWithAStaleRecord(t *testing.T) {
	t.Parallel()
	n, seen := newLostGame(t)
	fence := becomeLeader(t, n[1])
	to := node.Ref{Region: "eu", Name: "n2"}
	require.NoError(t, n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: to}, fence))
	err := n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: to}, fence)
	require.ErrorIs(t, err, operation.ErrBusy, "a present node has an operation on it")
	_, err = n[1].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	before, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.ErrorIs(t, n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: to}, fence), runtime.ErrConflict)
	after, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

// leaderships records the context of each leadership by its fence.
type leaderships struct {
	mu       sync.Mutex
	contexts map[node.Fence]context.Context // guarded by mu
}

// add records a leadership. It reports whether all other ones have ended.
func (l *leaderships) add(ctx context.Context, fence node.Fence) (isOnly bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, other := range l.contexts {
		if other.Err() == nil {
			return false
		}
	}
	l.contexts[fence] = ctx
	return true
}

// has reports whether the leadership with the fence has started its work.
func (l *leaderships) has(fence node.Fence) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, found := l.contexts[fence]
	return found
}

// fences returns the fences of all leaderships.
func (l *leaderships) fences() []node.Fence {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Keys(l.contexts))
}

// recordingElection is an election that records the leaderships of one scope.
type recordingElection struct {
	ports.Election
	t           *testing.T
	scope       string
	leaderships *leaderships
}

func (e recordingElection) Lead(ctx context.Context, scope string, work func(context.Context, node.Fence) error) error {
	return e.Election.Lead(ctx, scope, func(ctx context.Context, fence node.Fence) error {
		assert.True(e.t, scope != e.scope || e.leaderships.add(ctx, fence), "two leaders at the same time")
		return work(ctx, fence)
	})
}

// Of three nodes, the leader is partitioned or crashes several times.
func TestOneLeaderAtATime(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	all := &leaderships{contexts: map[node.Fence]context.Context{}}
	cfg := nodetest.Config{
		Prefix: etcdtest.Prefix(t), Region: "eu", LeaseTTL: shortTTL, NodeLostGrace: time.Minute,
		WrapElection: func(e ports.Election) ports.Election { return recordingElection{e, t, "eu", all} },
	}
	n := map[string]*nodetest.Node{}
	for _, name := range []string{"n1", "n2", "n3"} {
		cfg.Name = name
		n[name] = nodetest.New(t, cfg)
		n[name].Run()
	}
	observer := nodetest.New(t, nodetest.Config{Prefix: cfg.Prefix, Region: "us", Name: "observer"})
	leaderAfter := func(revision int64) (current node.Leader) {
		require.Eventually(t, func() bool {
			leader, found, err := observer.Registry.Leader(t.Context(), "eu")
			current = leader
			return assert.NoError(t, err) && found && current.Fence.CreateRevision > revision && all.has(current.Fence)
		}, nodetest.Timeout, 10*time.Millisecond, "a new leader that works")
		return current
	}
	current := leaderAfter(0)
	for round := range 4 {
		leader := n[current.Node]
		if round%2 == 0 {
			leader.Partition()
		} else {
			leader.Crash()
		}
		current = leaderAfter(current.Fence.CreateRevision)
		if round%2 == 0 {
			leader.Reconnect()
		} else {
			n[leader.Config.Name] = leader.Restart()
			n[leader.Config.Name].Run()
		}
	}
}

package failover_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// A machine loses power, and returns after its games have been rescheduled.
func TestGamesOfALostNode(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	n := cluster(t, 2, shortTTL, nodetest.Config{NodeLostGrace: 300 * time.Millisecond, Reconcile: reconcile.Config{Interval: 100 * time.Millisecond}})
	n[0].Run()
	n[0].MustExecute(nodetest.StartOp("moves", game(operation.NodeLostReschedule)))
	n[0].MustExecute(nodetest.StartOp("stays", game(operation.NodeLostKeep)))
	n[0].MustExecute(nodetest.StartOp("stopped", game(operation.NodeLostReschedule)))
	n[0].MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	before, kept, stopped := n[0].Record("moves"), n[0].Record("stays"), n[0].Record("stopped")
	events := recordEvents(t, n[1].Store)
	n[1].Run()

	n[0].Crash()
	require.Eventually(t, func() bool { return n[1].Record("moves").Node == "n2" && !n[1].Service.HasActive("moves") }, nodetest.Timeout, 10*time.Millisecond, "the game is started on the other node")
	after := n[1].Record("moves")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.Generation+1, after.Generation)
	require.Len(t, n[1].Containers("moves"), 1)
	require.Equal(t, n[1].Containers("moves")[0].ID, after.CurrentContainerID)
	require.NoError(t, after.Validate())
	require.Eventually(t, func() bool {
		return healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: after.EngineEndpoint}) == nil
	}, nodetest.Timeout, 10*time.Millisecond, "the game is healthy")
	history, err := n[1].Store.History(t.Context(), "moves")
	require.NoError(t, err)
	require.Equal(t, "failover", history[0].Actor)
	require.Equal(t, "node eu/n1 is lost", history[0].Reason)
	require.Eventually(t, func() bool {
		found := n[1].Failover.Findings()
		return len(found) == 1 && found[0].GameID == "stays" && found[0].Action == drift.ActionNone
	}, nodetest.Timeout, 10*time.Millisecond, "only the game that is kept is still lost")
	require.Eventually(t, func() bool { return n[1].Record("stays").NodeLostAt != nil }, nodetest.Timeout, 10*time.Millisecond, "its record states the loss")
	require.Equal(t, runtime.HealthUnknown, n[1].Record("stays").Health)
	require.True(t, kept.EqualExceptCondition(n[1].Record("stays")))
	require.Nil(t, n[1].Record("moves").NodeLostAt)
	require.Len(t, n[0].Containers("moves"), 1, "the old container is still running, out of reach")

	restarted := n[0].Restart()
	restarted.Run()
	require.Eventually(t, func() bool { return len(restarted.Containers("moves")) == 0 }, nodetest.Timeout, 10*time.Millisecond, "the stale container is removed")
	require.Nil(t, restarted.Reconcile.Brake())
	require.Eventually(t, func() bool { return len(n[1].Failover.Findings()) == 0 && len(restarted.Failover.Findings()) == 0 }, nodetest.Timeout, 10*time.Millisecond, "no game is lost")
	for gameID, want := range map[string]runtime.RuntimeRecord{"moves": after, "stays": kept, "stopped": stopped} {
		require.True(t, want.EqualExceptCondition(restarted.Record(gameID)), gameID)
		require.Eventually(t, func() bool { return restarted.Record(gameID).NodeLostAt == nil }, nodetest.Timeout, 10*time.Millisecond, "%s: the node has returned", gameID)
	}
	require.Equal(t, container.StateRunning, restarted.Containers("stays")[0].State)
	restarted.MustExecute(nodetest.Op(operation.KindRestart, "stays"))
	requireMonotonic(t, events(), "moves", "stays", "stopped")
}

// Single passes with a fake clock.
func TestNodeIsLostAfterItsSessionEnds(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	before := n[0].Record("g")
	fence := becomeLeader(t, n[1])
	pass := func() {
		t.Helper()
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	}
	n[0].Crash()
	for range 3 {
		clock.advance(time.Hour)
		pass()
		require.Empty(t, n[1].Failover.Findings(), "a node whose session has not expired is not lost")
	}

	expireSession(t, n[0])
	pass()
	finding, found := findingOn(n[1], "g")
	require.True(t, found)
	require.Equal(t, drift.KindNodeLost, finding.Kind)
	require.Equal(t, drift.ActionReschedule, finding.Action)
	require.Contains(t, finding.Evidence, "eu/n1")
	clock.advance(59 * time.Second)
	pass()
	intent, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current, "rescheduled before the end of the grace period")

	clock.advance(2 * time.Second)
	pass()
	intent, err = n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.NotNil(t, intent.Intent.Current)
	require.Equal(t, operation.KindReschedule, intent.Intent.Current.Kind)
	require.Equal(t, "n2", intent.Intent.Current.Node)
	require.True(t, before.EqualExceptCondition(n[1].Record("g")), "only the new node writes the record, except that the previous one is lost")
	clock.advance(time.Hour)
	pass()
	unchanged, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, intent, unchanged, "it is rescheduled once")

	_, err = n[1].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "n2", n[1].Record("g").Node)
	pass()
	require.Empty(t, n[1].Failover.Findings())
}

// A node that returns within the grace period keeps its games, and its next absence
// starts a new grace period.
func TestNodeThatReturnsWithinTheGracePeriod(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	before := n[0].Record("g")
	fence := becomeLeader(t, n[1])
	for range 3 {
		n[0].Crash()
		expireSession(t, n[0])
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
		require.Len(t, n[1].Failover.Findings(), 1)
		clock.advance(50 * time.Second)
		n[0] = n[0].Restart()
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
		require.Empty(t, n[1].Failover.Findings())
	}
	require.True(t, before.EqualExceptCondition(n[1].Record("g")))
}

// The new node of a game is lost too, before it has done anything.
func TestNewNodeIsLostToo(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[2].MustExecute(nodetest.StartOp("other", game(operation.NodeLostKeep))) // so that n2 has fewer games
	fence := becomeLeader(t, n[2])
	pass := func() {
		t.Helper()
		require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
		clock.advance(2 * time.Minute)
		require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	}
	newNode := func() string {
		intent, err := n[2].Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		return intent.Intent.Current.Node
	}
	n[0].Crash()
	expireSession(t, n[0])
	pass()
	require.Equal(t, "n2", newNode())
	n[1].Crash()
	expireSession(t, n[1])
	pass()
	require.Equal(t, "n3", newNode())
	_, err := n[2].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "n3", n[2].Record("g").Node)
	require.Equal(t, int64(2), n[2].Record("g").Generation)

	restarted := n[1].Restart()
	outcome, err := restarted.Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Empty(t, outcome.OperationID, "an operation that was assigned to another node is not resumed")
	require.Empty(t, restarted.Containers("g"))
}

// A node returns with containers of games that have been rescheduled. Their newer
// generation is a proof, so that the brake blocks none of the removals.
func TestProvenRemovalsAreNotBlocked(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Nanosecond})
	games := []string{"a", "b", "c"}
	for _, gameID := range games {
		n[0].MustExecute(nodetest.StartOp(gameID, game(operation.NodeLostReschedule)))
	}
	fence := becomeLeader(t, n[1])
	n[0].Crash()
	expireSession(t, n[0])
	for range 2 {
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	}
	for _, gameID := range games {
		_, err := n[1].Service.Resume(t.Context(), gameID)
		require.NoError(t, err)
	}
	restarted := n[0].Restart()
	report, err := restarted.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, len(games))
	for _, f := range report.Findings {
		require.True(t, f.Proven, "%+v", f)
		require.Empty(t, f.BlockedBy)
	}
	restarted.Run()
	for _, gameID := range games {
		require.Eventually(t, func() bool { return len(restarted.Containers(gameID)) == 0 }, nodetest.Timeout, 10*time.Millisecond, "the stale container is removed")
		require.Equal(t, "n2", restarted.Record(gameID).Node)
	}
	require.Nil(t, restarted.Reconcile.Brake())
}

// The new node of a game is lost before it has done anything, and the previous node
// returns: it reclaims the game, which is still running.
func TestPreviousNodeReclaimsItsGame(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[2].MustExecute(nodetest.StartOp("other", game(operation.NodeLostKeep))) // so that n2 has fewer games
	before := n[0].Record("g")
	fence := becomeLeader(t, n[2])
	n[0].Crash()
	expireSession(t, n[0])
	require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	clock.advance(2 * time.Minute)
	require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	assigned := func() *operation.Operation {
		intent, err := n[2].Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		return intent.Intent.Current
	}
	require.Equal(t, "n2", assigned().Node)

	restarted := n[0].Restart()
	report, err := restarted.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, drift.KindInterrupted, report.Findings[0].Kind)
	results := restarted.Reconcile.Apply(t.Context(), report.Findings, "")
	require.Equal(t, drift.ApplyFailed, results[0].Status, "the new node is present, and about to start the game: %+v", results)
	require.NotNil(t, assigned())

	n[1].Crash()
	expireSession(t, n[1])
	restarted.Run()
	require.Eventually(t, func() bool {
		clock.advance(100 * time.Millisecond) // the other node has some time to continue the operation
		return assigned() == nil
	}, nodetest.Timeout, 10*time.Millisecond, "the game is reclaimed")
	require.Eventually(t, func() bool {
		_, err := restarted.Reconcile.Pass(t.Context())
		return err == nil && len(restarted.Reconcile.Findings("g")) == 0
	}, nodetest.Timeout, 10*time.Millisecond, "no finding is left")
	require.True(t, before.EqualExceptCondition(restarted.Record("g")))
	restarted.MustExecute(nodetest.Op(operation.KindRestart, "g"))
}

// A node never returns. An operator removes the record of its game and starts the game
// on another node with the same spec.
func TestGameOfANodeThatNeverReturns(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostKeep)))
	before := n[0].Record("g")
	n[0].Crash()
	expireSession(t, n[0])
	_, err := n[1].Execute(nodetest.Op(operation.KindStart, "g"))
	require.ErrorIs(t, err, operation.ErrRejected)
	require.NoError(t, n[1].Store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "g", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: before.CurrentContainerID, To: runtime.StatusRemoved, Now: time.Now(),
	}))
	n[1].MustExecute(nodetest.Op(operation.KindStart, "g"))
	after := n[1].Record("g")
	require.Equal(t, "n2", after.Node)
	require.Equal(t, before.CurrentImageRef, after.CurrentImageRef)

	restarted := n[0].Restart()
	restarted.Run()
	require.Eventually(t, func() bool { return len(restarted.Containers("g")) == 0 }, nodetest.Timeout, 10*time.Millisecond, "the stale container is removed")
	require.Equal(t, after, restarted.Record("g"))
}

// The node returns after the leader has read the record: it keeps its games.
func TestNodeThatHasReturnedKeepsItsGames(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	seen, err := n[1].Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	fence := becomeLeader(t, n[1])
	err = n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: node.Ref{Region: "eu", Name: "n2"}}, fence)
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.ErrorContains(t, err, "has returned")
	n[0].Crash()
	expireSession(t, n[0])
	err = n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: node.Ref{Region: "eu", Name: "n9"}}, fence)
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.ErrorContains(t, err, "is absent")
	require.NoError(t, n[1].Service.Reschedule(t.Context(), seen, operation.Assignment{To: node.Ref{Region: "eu", Name: "n2"}}, fence))
}

// The node of a game is lost during the first start, before there is a record: the game is
// started on another node with the spec and the policy that were accepted.
func TestNodeIsLostDuringTheFirstStart(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	spec := game(operation.NodeLostReschedule)
	spec.Env = map[string]string{"LEVEL": "7"}
	_, err := n[1].Store.PutIntent(t.Context(), operation.Intent{GameID: "g", Current: &operation.Operation{
		ID: "first", Kind: operation.KindStart, Region: "eu", Node: "n1", StartedAt: clock.now(), Deadline: clock.now().Add(time.Hour),
		Step: operation.StepPulling, StepAt: clock.now(), Spec: spec, Generation: 1,
	}}, ports.IntentVersion{})
	require.NoError(t, err)
	n[0].Crash()
	expireSession(t, n[0])
	fence := becomeLeader(t, n[1])
	require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	clock.advance(2 * time.Minute)
	require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	outcome, err := n[1].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, outcome.Failure)
	require.Equal(t, runtime.StatusRunning, n[1].Record("g").Status)
	require.Equal(t, "n2", n[1].Record("g").Node)
	require.Equal(t, int64(2), n[1].Record("g").Generation, "the lost node may have created a container of generation 1")
	intent, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, spec.Env, intent.Intent.Spec.Env)
	require.Equal(t, operation.NodeLostReschedule, intent.Intent.Spec.OnNodeLost)
}

// A daemon that stops as planned usually returns, and its games run in the meantime: they are
// rescheduled after a longer grace period only.
func TestPlannedStopIsNoLoss(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, PlannedStopGrace: time.Hour, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	fence := becomeLeader(t, n[1])
	require.NoError(t, n[0].Member.Close())
	pass := func() {
		t.Helper()
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	}
	isRescheduled := func() bool {
		intent, err := n[1].Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		return intent.Intent.Current != nil
	}
	pass()
	require.Equal(t, "the daemon of node eu/n1 of the game has stopped as planned", n[1].Failover.Findings()[0].Evidence)
	clock.advance(59 * time.Minute)
	pass()
	require.False(t, isRescheduled())
	clock.advance(2 * time.Minute)
	pass()
	require.True(t, isRescheduled())
}

// The games of a paused node are not rescheduled before it is resumed.
func TestPausedNodeIsNotRescheduled(t *testing.T) {
	t.Parallel()
	clock := newFakeClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: clock.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	fence := becomeLeader(t, n[1])
	pause := func(mark *node.Mark) {
		t.Helper()
		_, err := n[1].Registry.UpdateRegion(t.Context(), "eu", func(s *node.RegionSettings) error { s.Paused = mark; return nil })
		require.NoError(t, err)
	}
	pause(&node.Mark{Reason: "network"})
	n[0].Crash()
	expireSession(t, n[0])
	for range 2 {
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
		clock.advance(2 * time.Minute)
	}
	intent, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current)
	require.Equal(t, "region eu is paused: network", n[1].Failover.Findings()[0].BlockedBy)
	pause(nil)
	require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	intent, err = n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.NotNil(t, intent.Intent.Current)
}

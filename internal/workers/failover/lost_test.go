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

// A machine loses power, and comes back after its games have been taken over.
func TestGamesOfALostNode(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, shortTTL, nodetest.Config{NodeLostGrace: 300 * time.Millisecond, Reconcile: reconcile.Config{Interval: 100 * time.Millisecond}})
	n[0].Run()
	n[0].MustExecute(nodetest.StartOp("moves", game(operation.NodeLostReschedule)))
	n[0].MustExecute(nodetest.StartOp("stays", game(operation.NodeLostKeep)))
	n[0].MustExecute(nodetest.StartOp("stopped", game(operation.NodeLostReschedule)))
	n[0].MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	before, kept, stopped := n[0].Record("moves"), n[0].Record("stays"), n[0].Record("stopped")
	told := follow(t, n[1].Store)
	n[1].Run()

	n[0].Crash()
	eventually(t, "the game is started elsewhere", func() bool { return n[1].Record("moves").Node == "n2" && !n[1].Service.HasActive("moves") })
	after := n[1].Record("moves")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.Generation+1, after.Generation)
	require.Len(t, n[1].Containers("moves"), 1)
	require.Equal(t, n[1].Containers("moves")[0].ID, after.CurrentContainerID)
	require.NoError(t, after.Validate())
	eventually(t, "the game answers", func() bool { return healthprobe.New(0).Probe(t.Context(), after.EngineEndpoint) == nil })
	history, err := n[1].Store.History(t.Context(), "moves")
	require.NoError(t, err)
	require.Equal(t, "nodes", history[0].Actor)
	require.Equal(t, "node eu/n1 is gone", history[0].Reason)
	eventually(t, "only the game that stays is still lost", func() bool {
		found := n[1].Failover.Findings()
		return len(found) == 1 && found[0].GameID == "stays" && found[0].Action == drift.ActionNone
	})
	require.Equal(t, kept, n[1].Record("stays"))
	require.Len(t, n[0].Containers("moves"), 1, "the old container runs on, out of reach")

	again := n[0].Restart()
	again.Run()
	eventually(t, "the stale container goes", func() bool { return len(again.Containers("moves")) == 0 })
	require.Nil(t, again.Reconcile.Brake())
	eventually(t, "nothing is lost any more", func() bool { return len(n[1].Failover.Findings()) == 0 && len(again.Failover.Findings()) == 0 })
	require.Equal(t, after, again.Record("moves"))
	require.Equal(t, kept, again.Record("stays"))
	require.Equal(t, stopped, again.Record("stopped"))
	require.Equal(t, container.StateRunning, again.Containers("stays")[0].State)
	again.MustExecute(nodetest.Op(operation.KindRestart, "stays"))
	requireForwards(t, told(), "moves", "stays", "stopped")
}

// One pass after the other, by a clock that only the test moves.
func TestNodeIsLostWhenItsPresenceIsOver(t *testing.T) {
	t.Parallel()
	watch := newClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: watch.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	before := n[0].Record("g")
	fence := leading(t, n[1])
	pass := func() {
		t.Helper()
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	}
	n[0].Crash()
	for range 3 {
		watch.pass(time.Hour)
		pass()
		require.Empty(t, n[1].Failover.Findings(), "a node that is only silent has been given up")
	}

	vanish(t, n[0])
	pass()
	finding, found := named(n[1], "g")
	require.True(t, found)
	require.Equal(t, drift.KindNodeLost, finding.Kind)
	require.Equal(t, drift.ActionReschedule, finding.Action)
	require.Contains(t, finding.Evidence, "eu/n1")
	watch.pass(59 * time.Second)
	pass()
	intent, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current, "given away before the grace is over")

	watch.pass(2 * time.Second)
	pass()
	intent, err = n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.NotNil(t, intent.Intent.Current)
	require.Equal(t, operation.KindReschedule, intent.Intent.Current.Kind)
	require.Equal(t, "n2", intent.Intent.Current.Node)
	require.Equal(t, before, n[1].Record("g"), "the record is for the node that takes it to write")
	watch.pass(time.Hour)
	pass()
	again, err := n[1].Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, intent, again, "it is given away once")

	_, err = n[1].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "n2", n[1].Record("g").Node)
	pass()
	require.Empty(t, n[1].Failover.Findings())
}

// A node that is back in time keeps its games, and its next absence counts anew.
func TestNodeThatComesBackWithinTheGrace(t *testing.T) {
	t.Parallel()
	watch := newClock()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: watch.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	before := n[0].Record("g")
	fence := leading(t, n[1])
	for range 3 {
		n[0].Crash()
		vanish(t, n[0])
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
		require.Len(t, n[1].Failover.Findings(), 1)
		watch.pass(50 * time.Second)
		n[0] = n[0].Restart()
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
		require.Empty(t, n[1].Failover.Findings())
	}
	require.Equal(t, before, n[1].Record("g"))
}

// The node that a game is given to goes as well, before it has done anything.
func TestTakerIsLostToo(t *testing.T) {
	t.Parallel()
	watch := newClock()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: watch.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[2].MustExecute(nodetest.StartOp("other", game(operation.NodeLostKeep))) // so that n2 is the emptier one
	fence := leading(t, n[2])
	pass := func() {
		t.Helper()
		require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
		watch.pass(2 * time.Minute)
		require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	}
	taker := func() string {
		intent, err := n[2].Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		return intent.Intent.Current.Node
	}
	n[0].Crash()
	vanish(t, n[0])
	pass()
	require.Equal(t, "n2", taker())
	n[1].Crash()
	vanish(t, n[1])
	pass()
	require.Equal(t, "n3", taker())
	_, err := n[2].Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "n3", n[2].Record("g").Node)
	require.Equal(t, int64(2), n[2].Record("g").Generation)

	again := n[1].Restart()
	outcome, err := again.Service.Resume(t.Context(), "g")
	require.NoError(t, err)
	require.Empty(t, outcome.OperationID, "what was taken from it is not resumed")
	require.Empty(t, again.Containers("g"))
}

// A node comes back to a machine full of games that live elsewhere now: each newer
// generation is proof enough, and the brake, although all go at once, is for doubt.
func TestCertainRemovalsAreNotHeld(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Nanosecond})
	games := []string{"a", "b", "c"}
	for _, gameID := range games {
		n[0].MustExecute(nodetest.StartOp(gameID, game(operation.NodeLostReschedule)))
	}
	fence := leading(t, n[1])
	n[0].Crash()
	vanish(t, n[0])
	for range 2 {
		require.NoError(t, n[1].Failover.Pass(t.Context(), fence))
	}
	for _, gameID := range games {
		_, err := n[1].Service.Resume(t.Context(), gameID)
		require.NoError(t, err)
	}
	again := n[0].Restart()
	report, err := again.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, len(games))
	for _, f := range report.Findings {
		require.True(t, f.Proven, "%+v", f)
		require.Empty(t, f.BlockedBy)
	}
	again.Run()
	for _, gameID := range games {
		eventually(t, "the stale container goes", func() bool { return len(again.Containers(gameID)) == 0 })
		require.Equal(t, "n2", again.Record(gameID).Node)
	}
	require.Nil(t, again.Reconcile.Brake())
}

// The node that a game is given to goes before it has done anything, and the game's
// own comes back: it takes the game back, which runs as before.
func TestOwnerIsBackAndTheTakerIsGone(t *testing.T) {
	t.Parallel()
	watch := newClock()
	n := cluster(t, 3, longTTL, nodetest.Config{NodeLostGrace: time.Minute, Clock: watch.now})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	n[2].MustExecute(nodetest.StartOp("other", game(operation.NodeLostKeep))) // so that n2 is the emptier one
	before := n[0].Record("g")
	fence := leading(t, n[2])
	n[0].Crash()
	vanish(t, n[0])
	require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	watch.pass(2 * time.Minute)
	require.NoError(t, n[2].Failover.Pass(t.Context(), fence))
	given := func() *operation.Operation {
		intent, err := n[2].Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		return intent.Intent.Current
	}
	require.Equal(t, "n2", given().Node)

	again := n[0].Restart()
	report, err := again.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, drift.KindInterrupted, report.Findings[0].Kind)
	results := again.Reconcile.Apply(t.Context(), report.Findings, "")
	require.Equal(t, drift.ApplyFailed, results[0].Status, "the taker is there, and about to take it: %+v", results)
	require.NotNil(t, given())

	n[1].Crash()
	vanish(t, n[1])
	again.Run()
	eventually(t, "the game is taken back", func() bool { return given() == nil })
	eventually(t, "nothing is left to do", func() bool {
		_, err := again.Reconcile.Pass(t.Context())
		return err == nil && len(again.Reconcile.Findings("g")) == 0
	})
	require.Equal(t, before, again.Record("g"))
	again.MustExecute(nodetest.Op(operation.KindRestart, "g"))
}

// A node never comes back: somebody gives up the game that it keeps, and starts it
// elsewhere, as what it was.
func TestGameOfANodeThatNeverComesBack(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostKeep)))
	before := n[0].Record("g")
	n[0].Crash()
	vanish(t, n[0])
	_, err := n[1].Execute(nodetest.Op(operation.KindStart, "g"))
	require.ErrorIs(t, err, operation.ErrRefused)
	require.NoError(t, n[1].Store.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "g", ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: before.CurrentContainerID, To: runtime.StatusRemoved, Now: time.Now(),
	}))
	n[1].MustExecute(nodetest.Op(operation.KindStart, "g"))
	after := n[1].Record("g")
	require.Equal(t, "n2", after.Node)
	require.Equal(t, before.CurrentImageRef, after.CurrentImageRef)

	again := n[0].Restart()
	again.Run()
	eventually(t, "what the node still had of it goes", func() bool { return len(again.Containers("g")) == 0 })
	require.Equal(t, after, again.Record("g"))
}

// Between a leader's look and its act the node comes back: its games stay.
func TestNodeThatIsBackKeepsItsGames(t *testing.T) {
	t.Parallel()
	n := cluster(t, 2, longTTL, nodetest.Config{NodeLostGrace: time.Minute})
	n[0].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	seen, err := n[1].Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	fence := leading(t, n[1])
	err = n[1].Service.Reschedule(t.Context(), seen, node.Node{Region: "eu", Name: "n2"}, fence)
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.ErrorContains(t, err, "is back")
	n[0].Crash()
	vanish(t, n[0])
	err = n[1].Service.Reschedule(t.Context(), seen, node.Node{Region: "eu", Name: "n9"}, fence)
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.ErrorContains(t, err, "has gone")
	require.NoError(t, n[1].Service.Reschedule(t.Context(), seen, node.Node{Region: "eu", Name: "n2"}, fence))
}

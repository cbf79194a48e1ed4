package failover_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// threeRegions returns the nodes ap/n, eu/n and us/n of one store, whose sessions last for
// ttl after a crash. apLeaderships records the leaderships of ap.
func threeRegions(t *testing.T, ttl time.Duration, apLeaderships *leaderships) map[string]*nodetest.Node {
	t.Helper()
	cfg := nodetest.Config{
		Prefix: etcdtest.Prefix(t), Name: "n", LeaseTTL: ttl, NodeLostGrace: 300 * time.Millisecond,
		Reconcile:    reconcile.Config{Interval: 100 * time.Millisecond},
		WrapElection: func(e ports.Election) ports.Election { return recordingElection{e, t, "ap", apLeaderships} },
	}
	nodes := map[string]*nodetest.Node{}
	for _, region := range []string{"ap", "eu", "us"} {
		cfg.Region = region
		nodes[region] = nodetest.New(t, cfg)
	}
	return nodes
}

// gameOf returns the spec of a game that may be started in the regions.
func gameOf(regions ...string) operation.Spec {
	spec := game("")
	spec.Regions = regions
	return spec
}

// requireLeader waits until a node of one of the regions leads ap, and returns its region.
func requireLeader(t *testing.T, n *nodetest.Node, regions ...string) string {
	t.Helper()
	var leader node.Ref
	require.Eventually(t, func() bool {
		overview, err := n.Registry.Overview(t.Context())
		require.NoError(t, err)
		leader, _ = overview.LeaderOf("ap")
		for _, region := range regions {
			if leader.Region == region {
				return true
			}
		}
		return false
	}, nodetest.Timeout, 10*time.Millisecond, "no node of %v leads ap", regions)
	return leader.Region
}

// The only node of a region is cut off: its games keep running. Games whose spec names other
// regions are started there. When the node returns, each game runs once.
func TestRegionWithoutAPresentNode(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	n := threeRegions(t, shortTTL, &leaderships{contexts: map[node.Fence]context.Context{}})
	ap, eu, us := n["ap"], n["eu"], n["us"]
	for gameID, spec := range map[string]operation.Spec{
		"first": gameOf("us", "eu"), "second": gameOf("nowhere", "eu"), "stays": game(operation.NodeLostReschedule), "kept": game(operation.NodeLostKeep),
	} {
		ap.MustExecute(nodetest.StartOp(gameID, spec))
	}
	ap.MustExecute(nodetest.StartOp("stopped", gameOf("us")))
	ap.MustExecute(nodetest.Op(operation.KindStop, "stopped"))
	unchanged := map[string]runtime.RuntimeRecord{}
	for _, gameID := range []string{"stays", "kept", "stopped"} {
		unchanged[gameID] = ap.Record(gameID)
	}
	events := recordEvents(t, eu.Store)
	for _, each := range n {
		each.Run()
	}
	requireLeader(t, eu, "ap")

	ap.Partition()
	caretaker := n[requireLeader(t, eu, "eu", "us")]
	rescheduled := map[string]string{"first": "us", "second": "eu"}
	for gameID, region := range rescheduled {
		require.Eventually(t, func() bool { return eu.Record(gameID).Region == region }, nodetest.Timeout, 10*time.Millisecond, "%s is started in %s", gameID, region)
		require.Equal(t, runtime.StatusRunning, eu.Record(gameID).Status)
		require.EqualValues(t, 2, eu.Record(gameID).Generation)
		require.Len(t, ap.Containers(gameID), 1, "the old container is still running, out of reach")
	}
	require.Eventually(t, func() bool {
		found := caretaker.Failover.Findings()
		return len(found) == 2 && found[0].Kind == drift.KindNodeLost && found[0].Action == drift.ActionNone && found[1].Action == drift.ActionNone
	}, nodetest.Timeout, 10*time.Millisecond, "the games that stay are lost")
	finding, found := findingOn(caretaker, "stays")
	require.True(t, found)
	require.Contains(t, finding.Evidence, "node ap/n of the game is absent, and no node of region ap is present; the spec of the game names no other region")
	overview, err := eu.Registry.Overview(t.Context())
	require.NoError(t, err)
	require.Len(t, overview.Absent, 1)
	require.NotZero(t, overview.Absent[0].LostAt)
	isLost := func(gameID string) bool { return eu.Record(gameID).NodeLostAt != nil }
	for gameID := range unchanged {
		require.Eventually(t, func() bool { return isLost(gameID) }, nodetest.Timeout, 10*time.Millisecond, "the record of %s states the loss", gameID)
		require.False(t, eu.Record(gameID).IsReady())
	}

	ap.Reconnect()
	requireLeader(t, eu, "ap")
	for gameID, region := range rescheduled {
		require.Eventually(t, func() bool { return len(ap.Containers(gameID)) == 0 }, nodetest.Timeout, 10*time.Millisecond, "the stale container is removed")
		require.Len(t, n[region].Containers(gameID), 1)
	}
	require.Eventually(t, func() bool {
		return len(eu.Failover.Findings())+len(us.Failover.Findings())+len(ap.Failover.Findings()) == 0
	}, nodetest.Timeout, 10*time.Millisecond, "no game is lost")
	require.Nil(t, ap.Reconcile.Brake())
	for gameID, record := range unchanged {
		require.Eventually(t, func() bool { return !isLost(gameID) }, nodetest.Timeout, 10*time.Millisecond, "the node has returned")
		require.True(t, record.EqualExceptCondition(ap.Record(gameID)))
	}
	require.Equal(t, container.StateRunning, ap.Containers("stays")[0].State)
	requireMonotonic(t, events(), "first", "second", "stays", "kept", "stopped")
}

// The caretaker of a region is lost, and the leader of the third region replaces it. The
// former leaders of the region cannot write.
func TestCaretakerIsReplaced(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for leases to expire")
	}
	t.Parallel()
	all := &leaderships{contexts: map[node.Fence]context.Context{}}
	n := threeRegions(t, shortTTL, all)
	observer := nodetest.New(t, nodetest.Config{Prefix: n["eu"].Config.Prefix, Region: "eu", Name: "observer"})
	n["ap"].MustExecute(nodetest.StartOp("g", game(operation.NodeLostReschedule)))
	for _, each := range n {
		each.Run()
	}
	// awaitWork waits until the leader of ap has started its work, which follows its election.
	awaitWork := func() {
		require.Eventually(t, func() bool {
			leader, isLed, err := observer.Registry.Leader(t.Context(), "ap")
			return err == nil && isLed && all.has(leader.Fence)
		}, nodetest.Timeout, 10*time.Millisecond, "the leader works")
	}
	requireLeader(t, observer, "ap")
	awaitWork()
	n["ap"].Crash()
	first := requireLeader(t, observer, "eu", "us")
	awaitWork()
	second := map[string]string{"eu": "us", "us": "eu"}[first]
	n[first].Crash()
	requireLeader(t, observer, second)
	require.Eventually(t, func() bool { _, found := findingOn(n[second], "g"); return found }, nodetest.Timeout, 10*time.Millisecond, "it finds the lost game")

	seen, err := observer.Store.GetVersioned(t.Context(), "g")
	require.NoError(t, err)
	leader, isLed, err := observer.Registry.Leader(t.Context(), "ap")
	require.NoError(t, err)
	require.True(t, isLed)
	fenced := 0
	for _, fence := range all.fences() {
		if fence != leader.Fence {
			fenced++
			err := observer.Service.Reschedule(t.Context(), seen, operation.Assignment{To: node.Ref{Region: "eu", Name: "observer"}}, fence)
			require.ErrorIs(t, err, runtime.ErrFenced, "the write of a former leader")
		}
	}
	require.GreaterOrEqual(t, fenced, 2, "ap/n, and the first caretaker")

	returned := n["ap"].Restart()
	returned.Run()
	requireLeader(t, observer, "ap")
	require.Eventually(t, func() bool { return len(n[second].Failover.Findings()) == 0 }, nodetest.Timeout, 10*time.Millisecond, "no game is lost")
}

package placement_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// growthOf is a request for more CPUs for a game that requests one CPU of the node a/x.
func growthOf(gameID string, cpus float64) placement.Request {
	request := requestFor(gameID)
	request.Nodes = []node.Node{limited("x", func(n *node.Node) {
		n.Capacity = node.Capacity{CPUs: 4, Games: 1}
		n.Settings.Cordoned = &node.Mark{}
	})}
	request.IsNamed, request.Current, request.Spec.CPUs = true, &node.Resources{CPUs: 1}, cpus
	return request
}

// Two games of one CPU run on a cordoned node of four CPUs that may run one game.
func TestGrowthOfARunningGame(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	putGames(t, store, "x", 2, runtime.StatusRunning)
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})

	rejected, err := scheduler.Select(t.Context(), growthOf("x-running-0", 3.5))
	require.NoError(t, err)
	require.Zero(t, rejected.Selected)
	require.Equal(t, "has 3 of 4 CPUs free for the game and the game requests 3.5", rejected.Nodes[0].Reason)

	require.True(t, mustSelect(t, scheduler, growthOf("x-running-0", 2.5)).IsReserved)
	rejected, err = scheduler.Select(t.Context(), growthOf("x-running-1", 2))
	require.NoError(t, err)
	require.Zero(t, rejected.Selected)
	require.Equal(t, "has 1.5 of 4 CPUs free for the game and the game requests 2", rejected.Nodes[0].Reason)
	mustSelect(t, scheduler, growthOf("x-running-1", 1.5))
}

// A reservation of an earlier operation, which is not released yet, does not replace the check.
func TestGrowthAfterAnEarlierOperation(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	start := growthOf("x-running-0", 1)
	start.Current, start.Nodes[0].Settings.Cordoned = nil, nil
	mustSelect(t, scheduler, start)
	putGames(t, store, "x", 1, runtime.StatusRunning)

	patch := growthOf("x-running-0", 9)
	patch.OperationID = "patch"
	rejected, err := scheduler.Select(t.Context(), patch)
	require.NoError(t, err)
	require.Zero(t, rejected.Selected)

	patch.Spec.CPUs = 2
	for range 2 { // the second one is a retry
		require.True(t, mustSelect(t, scheduler, patch).IsReserved)
	}
	require.NoError(t, scheduler.Release(t.Context(), ref("a", "x"), "x-running-0", start.OperationID))
	load, err := scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, node.Usage{Games: 1, CPUs: 2}, load[ref("a", "x")])
}

// A game that waits for its restart holds its place: its next start does not need a second one.
func TestStartInTheOwnPlace(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	putGames(t, store, "x", 1, runtime.StatusStopped)
	found, err := store.GetVersioned(t.Context(), "x-stopped-0")
	require.NoError(t, err)
	condition := found.Record.Condition
	condition.RestartPending = true
	_, err = store.SetCondition(t.Context(), ports.ConditionInput{GameID: "x-stopped-0", IfRevision: found.Revision, Condition: condition})
	require.NoError(t, err)
	request := growthOf("x-stopped-0", 1)
	request.Current, request.Nodes[0].Settings.Cordoned = nil, nil
	mustSelect(t, placement.NewScheduler(placement.Dependencies{Records: store}), request)
}

package placement_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/memstore"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// putGames puts records of games on the node a/NAME.
func putGames(t *testing.T, store *memstore.Store, name string, count int, status runtime.Status) {
	t.Helper()
	for i := range count {
		record := runtime.RuntimeRecord{
			GameID: fmt.Sprintf("%s-%s-%d", name, status, i), Status: status, Region: "a", Node: name,
			CurrentContainerID: "c", CreatedAt: noon, LastOpAt: noon, StartedAt: &noon, RequestCPUs: 1,
		}
		if status == runtime.StatusStopped {
			record.StoppedAt = &noon
		}
		require.NoError(t, store.Upsert(t.Context(), record))
	}
}

// requestFor is a request for a game in region a.
func requestFor(gameID string) placement.Request {
	return placement.Request{GameID: gameID, OperationID: "op-" + gameID, Region: "a", Nodes: nodes()}
}

func mustSelect(t *testing.T, s *placement.Scheduler, request placement.Request) placement.Selection {
	t.Helper()
	selection, err := s.Select(t.Context(), request)
	require.NoError(t, err)
	require.False(t, selection.Selected.IsZero(), "%+v", selection)
	return selection
}

// The scheduler counts running games only: a stopped game uses no resources.
func TestSchedulerCountsRunningGames(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	putGames(t, store, "x", 2, runtime.StatusRunning)
	putGames(t, store, "y", 1, runtime.StatusRunning)
	putGames(t, store, "y", 5, runtime.StatusStopped)
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	selection := mustSelect(t, scheduler, requestFor("g"))
	require.Equal(t, "a/y", selection.Selected.String())
	require.True(t, selection.IsReserved)
	require.Equal(t, node.Usage{Games: 1, CPUs: 1}, selection.Nodes[0].Used)

	none := requestFor("h")
	none.Region = "c"
	selected, err := scheduler.Select(t.Context(), none)
	require.NoError(t, err)
	require.Zero(t, selected.Selected)
}

// Simultaneous starts spread over the nodes: a game counts from its selection on, until its
// reservation ends.
func TestSchedulerCountsReservations(t *testing.T) {
	t.Parallel()
	scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New()})
	var mu sync.Mutex
	counts := map[node.Ref]int{}
	games := map[string]node.Ref{}
	var starts sync.WaitGroup
	for i := range 12 {
		starts.Go(func() {
			id := fmt.Sprintf("g%d", i)
			selection := mustSelect(t, scheduler, requestFor(id))
			mu.Lock()
			defer mu.Unlock()
			counts[selection.Selected]++
			games[id] = selection.Selected
		})
	}
	starts.Wait()
	require.Equal(t, map[node.Ref]int{ref("a", "x"): 6, ref("a", "y"): 6}, counts)

	for id, at := range games {
		if at == ref("a", "x") {
			require.NoError(t, scheduler.Release(t.Context(), at, id, "op-"+id))
		}
	}
	load, err := scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, placement.Load{ref("a", "y"): {Games: 6}}, load)
}

// A repeated request keeps the node; one that excludes the node moves the reservation.
func TestReservationsFollowTheRequest(t *testing.T) {
	t.Parallel()
	scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New()})
	request := requestFor("g")
	request.Preferred = ref("a", "y")
	require.Equal(t, "a/y", mustSelect(t, scheduler, request).Selected.String())
	request.Preferred = node.Ref{}
	repeated := mustSelect(t, scheduler, request)
	require.Equal(t, "a/y", repeated.Selected.String())
	require.True(t, repeated.IsReserved)

	other := request
	other.OperationID = "another"
	joined := mustSelect(t, scheduler, other)
	require.Equal(t, "a/y", joined.Selected.String())
	require.False(t, joined.IsReserved, "the reservation belongs to the first operation")

	request.Excluded = map[node.Ref]string{ref("a", "y"): "failed"}
	require.Equal(t, "a/x", mustSelect(t, scheduler, request).Selected.String())
	load, err := scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, placement.Load{ref("a", "x"): {Games: 1}}, load)

	require.NoError(t, scheduler.Release(t.Context(), ref("a", "x"), "g", "another"), "it has no reservation")
	load, err = scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 1, load[ref("a", "x")].Games)
}

// A running game counts once, although its reservation has not ended yet.
func TestReservedGameCountsOnce(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	request := requestFor("x-running-0")
	require.Equal(t, "a/x", mustSelect(t, scheduler, request).Selected.String())
	putGames(t, store, "x", 1, runtime.StatusRunning)
	load, err := scheduler.Usage(t.Context(), "a")
	require.NoError(t, err)
	require.Equal(t, 1, load[ref("a", "x")].Games)
}

// activeGames are the games with an operation in progress.
type activeGames []string

func (a activeGames) GamesWithActiveOperation(context.Context, string, string) ([]string, error) {
	return a, nil
}

// A reservation without an operation expires a minute after a daemon has first observed it.
func TestReservationsExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New(), Operations: activeGames{"pulling"}})
		full := []node.Node{limited("n", func(n *node.Node) { n.Capacity.Games = 2 })}
		for _, id := range []string{"pulling", "orphan"} {
			request := requestFor(id)
			request.Nodes = full
			mustSelect(t, scheduler, request)
		}
		request := requestFor("g")
		request.Nodes = full
		selection, err := scheduler.Select(t.Context(), request)
		require.NoError(t, err)
		require.Zero(t, selection.Selected)
		require.Equal(t, "has 2 of 2 games", selection.Nodes[0].Reason)

		time.Sleep(time.Minute) // of the synthetic clock
		mustSelect(t, scheduler, request)
		load, err := scheduler.Usage(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, 2, load[ref("a", "n")].Games, "those that have an operation, and the new one")
	})
}

// Explain checks the nodes and reserves nothing.
func TestExplainReservesNothing(t *testing.T) {
	t.Parallel()
	store := memstore.New()
	putGames(t, store, "x", 1, runtime.StatusRunning)
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store})
	request := requestFor("g")
	request.Excluded = map[node.Ref]string{ref("a", "y"): "is cordoned"}
	for range 2 {
		checked, err := scheduler.Explain(t.Context(), request)
		require.NoError(t, err)
		require.Equal(t, node.Placement{Region: "a", Selected: ref("a", "x"), Nodes: []node.Candidacy{
			{Node: ref("a", "x"), Rank: 1, Used: node.Usage{Games: 1, CPUs: 1}},
			{Node: ref("a", "y"), Reason: "is cordoned"},
		}}, checked)
	}
}

// brokenLister is a store that cannot be listed.
type brokenLister struct{ err error }

func (b brokenLister) ListPage(context.Context, ports.PageQuery) (ports.Page, error) {
	return ports.Page{}, b.err
}

func TestSchedulerNeedsTheStoreOnlyForAChoiceOrALimit(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	scheduler := placement.NewScheduler(placement.Dependencies{Records: brokenLister{broken}})
	request := requestFor("g")
	request.Nodes = nodes()[1:2]
	selection := mustSelect(t, scheduler, request)
	require.False(t, selection.IsReserved)
	request.Nodes[0].Capacity = node.Capacity{CPUs: 4, MemoryBytes: 1 << 30}
	mustSelect(t, scheduler, request)

	request.Nodes[0].Capacity.Games = 1
	_, err := scheduler.Select(t.Context(), request)
	require.ErrorIs(t, err, broken)
	_, err = scheduler.Select(t.Context(), requestFor("g"))
	require.ErrorIs(t, err, broken)
}

// Reservations of many nodes expire at once, for example after a loss of etcd. One transaction cannot
// remove them all, and starts must succeed nevertheless.
func TestReservationsOfManyNodesExpire(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const count = 3*ports.MaxReservationNodes + 1
		var many []node.Node
		for i := range count {
			many = append(many, node.Node{Region: "a", Name: fmt.Sprintf("n%03d", i), Engine: "docker", Capacity: node.Capacity{Games: 1}})
		}
		scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New()})
		selectNode := func(gameID string) placement.Selection {
			t.Helper()
			request := requestFor(gameID)
			request.Nodes = many
			selection, err := scheduler.Select(t.Context(), request)
			require.NoError(t, err)
			return selection
		}
		for round := range 2 {
			used := map[node.Ref]bool{}
			for i := range count {
				selection := selectNode(fmt.Sprintf("g%d-%d", round, i))
				require.False(t, selection.Selected.IsZero())
				used[selection.Selected] = true
			}
			require.Len(t, used, count)
			require.True(t, selectNode("one more").Selected.IsZero())
			time.Sleep(time.Minute) // of the synthetic clock
		}
	})
}

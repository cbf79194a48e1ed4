package etcdreservations_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func newStore(t *testing.T) (*etcdreservations.Store, string) {
	t.Helper()
	prefix := etcdtest.Prefix(t)
	return etcdreservations.New(etcdtest.InProcess(t), etcdreservations.Options{Prefix: prefix}), prefix
}

func reservation(operation string) node.Reservation {
	return node.Reservation{Resources: node.Resources{CPUs: 0.5, MemoryBytes: 1 << 20}, Operation: operation, At: time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)}
}

func TestReservationsOfARegion(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	found, _, err := store.Reservations(t.Context(), "eu/1", "")
	require.NoError(t, err)
	require.Empty(t, found)

	games := map[string]node.Reservation{"g/1": reservation("op")}
	one, two := node.Ref{Region: "eu/1", Name: "a/1"}, node.Ref{Region: "eu/1", Name: "a"}
	require.NoError(t, store.PutReservations(t.Context(), []node.Reservations{
		{Node: one, Games: games}, {Node: two}, {Node: node.Ref{Region: "eu", Name: "1"}, Games: games},
	}))
	found, _, err = store.Reservations(t.Context(), "eu/1", "")
	require.NoError(t, err)
	require.Len(t, found, 2, "those of another region are not included")
	found, _, err = store.Reservations(t.Context(), "eu/1", "a/1")
	require.NoError(t, err)
	require.Len(t, found, 1)
	require.Positive(t, found[0].Revision)
	require.Equal(t, node.Reservations{Node: one, Games: games, Revision: found[0].Revision}, found[0])
}

// A write needs the current revision of each node. It changes none otherwise.
func TestPutReservationsCompares(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	a, b := node.Reservations{Node: node.Ref{Region: "eu", Name: "a"}}, node.Reservations{Node: node.Ref{Region: "eu", Name: "b"}}
	require.NoError(t, store.PutReservations(t.Context(), []node.Reservations{a}))
	b.Games = map[string]node.Reservation{"g": reservation("op")}
	require.ErrorIs(t, store.PutReservations(t.Context(), []node.Reservations{a, b}), runtime.ErrConflict)
	found, _, err := store.Reservations(t.Context(), "eu", "b")
	require.NoError(t, err)
	require.Empty(t, found)

	found, _, err = store.Reservations(t.Context(), "eu", "a")
	require.NoError(t, err)
	require.NoError(t, store.PutReservations(t.Context(), []node.Reservations{found[0], b}))
	require.ErrorIs(t, store.PutReservations(t.Context(), found), runtime.ErrConflict, "the same games have another revision")
	require.ErrorIs(t, store.PutReservations(t.Context(), make([]node.Reservations, ports.MaxReservationNodes+1)), runtime.ErrInvalid)
}

func TestCorruptReservations(t *testing.T) {
	t.Parallel()
	store, prefix := newStore(t)
	_, err := etcdtest.InProcess(t).Put(t.Context(), prefix+"/reservations/eu/a", "?")
	require.NoError(t, err)
	found, _, err := store.Reservations(t.Context(), "eu", "")
	require.NoError(t, err)
	require.Len(t, found, 1)
	var corrupt *runtime.CorruptError
	require.ErrorAs(t, found[0].Fault, &corrupt)
	require.Equal(t, prefix+"/reservations/eu/a", corrupt.Key)

	// Games are placed on the other nodes.
	scheduler := placement.NewScheduler(placement.Dependencies{Records: memstore.New(), Reservations: store})
	newNode := func(name string) node.Node {
		return node.Node{Region: "eu", Name: name, Engine: "process", Capacity: node.Capacity{Games: 1}}
	}
	request := placement.Request{GameID: "g", OperationID: "op", Region: "eu", Nodes: []node.Node{newNode("a"), newNode("b")}}
	selection, err := scheduler.Select(t.Context(), request)
	require.NoError(t, err)
	require.Equal(t, "b", selection.Selected.Name)
	request.GameID, request.OperationID = "h", "op-h"
	selection, err = scheduler.Select(t.Context(), request)
	require.NoError(t, err)
	require.True(t, selection.Selected.IsZero())
	explained, err := scheduler.Explain(t.Context(), request)
	require.NoError(t, err)
	require.Contains(t, explained.Nodes[0].Reason, "has reservations that cannot be read: ")
	require.Empty(t, request.Excluded)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	require.ErrorIs(t, scheduler.Release(ctx, node.Ref{Region: "eu", Name: "a"}, "g", "op"), runtime.ErrCorrupt)
	value, err := etcdtest.InProcess(t).Get(t.Context(), prefix+"/reservations/eu/a")
	require.NoError(t, err)
	require.Equal(t, "?", string(value.Kvs[0].Value), "it is not overwritten")
}

func TestReservationsWithoutEtcd(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, err := store.Reservations(ctx, "eu", "")
	require.Error(t, err)
	require.Error(t, store.PutReservations(ctx, []node.Reservations{{Node: node.Ref{Region: "eu", Name: "a"}}}))
}

// startOnNodes starts games by several daemons at once, and checks at each start that no node
// exceeds its capacity. It returns the number of games of each node.
func startOnNodes(t *testing.T, daemons, games int, nodes []node.Node) map[node.Ref]int {
	t.Helper()
	store, _ := newStore(t)
	records := memstore.New()
	schedulers := make([]*placement.Scheduler, daemons)
	for i := range schedulers {
		schedulers[i] = placement.NewScheduler(placement.Dependencies{Records: records, Reservations: store})
	}
	capacity := map[node.Ref]int{}
	releasers := map[node.Ref]*placement.Releaser{}
	for _, n := range nodes {
		capacity[n.Ref()] = n.Capacity.Games
		releasers[n.Ref()] = placement.NewReleaser(t.Context(), store, n.Ref(), nil)
		t.Cleanup(releasers[n.Ref()].Close)
	}
	var mu sync.Mutex
	counts := map[node.Ref]int{}
	var starts sync.WaitGroup
	for i := range games {
		starts.Go(func() {
			id := fmt.Sprintf("g%03d", i)
			selection, err := schedulers[i%daemons].Select(t.Context(), placement.Request{GameID: id, OperationID: "op-" + id, Region: "eu", Nodes: nodes})
			if !assertPlaced(t, selection, err) {
				return
			}
			mu.Lock()
			counts[selection.Selected]++
			count := counts[selection.Selected]
			mu.Unlock()
			if limit := capacity[selection.Selected]; limit > 0 && count > limit {
				t.Errorf("node %s runs %d games, more than its %d", selection.Selected, count, limit)
			}
			putRunning(t, records, id, selection.Selected)
			if rand.IntN(2) == 0 { // some reservations end while other games are placed
				releasers[selection.Selected].Release(id, "op-"+id)
			}
		})
	}
	starts.Wait()
	return counts
}

// assertPlaced reports whether a node was selected.
func assertPlaced(t *testing.T, selection placement.Selection, err error) bool {
	t.Helper()
	if err != nil {
		t.Errorf("select a node: %v", err)
	}
	return err == nil && !selection.Selected.IsZero()
}

func putRunning(t *testing.T, records *memstore.Store, id string, at node.Ref) {
	t.Helper()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	err := records.Upsert(t.Context(), runtime.RuntimeRecord{
		GameID: id, Status: runtime.StatusRunning, Region: at.Region, Node: at.Name, CurrentContainerID: "c", CreatedAt: now, LastOpAt: now, StartedAt: &now,
	})
	if err != nil {
		t.Errorf("put the record of %s: %v", id, err)
	}
}

func nodesWith(count, games int) []node.Node {
	nodes := make([]node.Node, count)
	for i := range nodes {
		nodes[i] = node.Node{Region: "eu", Name: fmt.Sprintf("n%02d", i), Engine: "process", Capacity: node.Capacity{Games: games}}
	}
	return nodes
}

// Simultaneous starts through several daemons never exceed the capacity of a node, and use all of
// it.
func TestSimultaneousStartsDoNotOversell(t *testing.T) {
	t.Parallel()
	counts := startOnNodes(t, 3, 40, nodesWith(3, 7))
	require.Equal(t, map[node.Ref]int{{Region: "eu", Name: "n00"}: 7, {Region: "eu", Name: "n01"}: 7, {Region: "eu", Name: "n02"}: 7}, counts)
}

// 100 simultaneous starts spread evenly over 10 nodes.
func TestSimultaneousStartsSpread(t *testing.T) {
	t.Parallel()
	startedAt := time.Now()
	counts := startOnNodes(t, 4, 100, nodesWith(10, 0))
	require.Len(t, counts, 10)
	for ref, count := range counts {
		require.Equal(t, 10, count, "games of node %s", ref)
	}
	t.Logf("100 starts through 4 daemons were placed on 10 nodes within %s", time.Since(startedAt))
}

// The reservations of all operations that have ended are removed.
func TestReleaserEndsReservations(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t)
	at := node.Ref{Region: "eu", Name: "a"}
	games := map[string]node.Reservation{}
	for i := range 50 {
		games[fmt.Sprintf("g%d", i)] = reservation("op")
	}
	games["kept"] = reservation("another")
	require.NoError(t, store.PutReservations(t.Context(), []node.Reservations{{Node: at, Games: games}}))
	releaser := placement.NewReleaser(t.Context(), store, at, nil)
	defer releaser.Close()
	for id := range games {
		releaser.Release(id, "op")
		releaser.Release(id, "rejected") // of another request for the game, which has no reservation any more
	}
	require.Eventually(t, func() bool {
		found, _, err := store.Reservations(t.Context(), "eu", "a")
		return err == nil && len(found) == 1 && len(found[0].Games) == 1
	}, 30*time.Second, 10*time.Millisecond)
}

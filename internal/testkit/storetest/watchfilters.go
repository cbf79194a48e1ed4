package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func filterBehaviours() []behaviour {
	return []behaviour{
		{name: "a snapshot holds only what matches the status", test: filterSnapshot(ports.WatchOptions{Status: runtime.StatusRunning}, game(0), game(3))},
		{name: "a snapshot holds only what matches the region", test: filterSnapshot(ports.WatchOptions{Region: "us"}, game(3), game(4), game(5))},
		{name: "a snapshot holds only what matches the node", test: filterSnapshot(ports.WatchOptions{Node: "node-0"}, game(0), game(1), game(2), game(3), game(4), game(5))},
		{name: "a snapshot holds only the game asked for", test: filterSnapshot(ports.WatchOptions{GameID: game(4)}, game(4))},
		{name: "filters are taken together", test: filterSnapshot(ports.WatchOptions{Region: "us", Status: runtime.StatusStopped}, game(4))},
		{name: "a game that enters the status is seen entering", test: filterEnters},
		{name: "a game that leaves the status is seen leaving", test: filterLeaves},
		{name: "a game that moves to another region is seen leaving and entering", test: filterRegion},
		{name: "a change of a game outside the filter is not seen", test: filterOutside},
		{name: "a new game outside the filter is not seen", test: filterOutsideInsert},
		{name: "a watch of one game sees no other", test: filterGame},
		{name: "a watch of a game that does not exist yet sees it come", test: filterFutureGame},
		{name: "a filtered watch that resumes sees exactly what matches", test: filterResume},
		{name: "a filter that matches only before and one that matches only after both count as a whole", test: filterCombined},
	}
}

func filterSnapshot(options ports.WatchOptions, want ...string) func(*testing.T, Harness, ports.Store) {
	return func(t *testing.T, _ Harness, s ports.Store) {
		variedGames(t, s, 6)
		records, _ := openWatch(t, s, options).snapshot()
		require.ElementsMatch(t, want, ids(records))
	}
}

func filterEnters(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, stopped("a"))
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRunning})
	requireChange(t, w, ports.EventTransitioned, &before.Record, transition(t, s, resume("a", 5)))
}

func filterLeaves(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRunning})
	requireChange(t, w, ports.EventTransitioned, &before.Record, transition(t, s, stop("a", 5)))
	back := put(t, s, running("a"))
	left := stopped("a")
	require.Equal(t, back.Revision, w.event().Revision)
	requireChange(t, w, ports.EventUpserted, &back.Record, put(t, s, left))
}

func filterRegion(t *testing.T, _ Harness, s ports.Store) {
	there := running("a")
	there.Region = "us"
	here := put(t, s, running("a"))
	old, fresh := synced(t, s, ports.WatchOptions{Region: here.Record.Region}), synced(t, s, ports.WatchOptions{Region: "us"})
	moved := put(t, s, there)
	requireChange(t, old, ports.EventUpserted, &here.Record, moved)
	requireChange(t, fresh, ports.EventUpserted, &here.Record, moved)
}

func filterOutside(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRemoved})
	pingPong(t, s, "a", 5)
	last := transition(t, s, move("a", runtime.StatusStopped, runtime.StatusRemoved, 50))
	require.Equal(t, last.Revision, w.event().Revision)
}

func filterOutsideInsert(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{Node: "node-2"})
	put(t, s, running("a"))
	other := running("b")
	other.Node = "node-2"
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, other))
}

func filterGame(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, running("a"))
	put(t, s, running("b"))
	w := synced(t, s, ports.WatchOptions{GameID: "a"})
	pingPong(t, s, "b", 5)
	requireChange(t, w, ports.EventTransitioned, &before.Record, transition(t, s, stop("a", 5)))
}

func filterFutureGame(t *testing.T, _ Harness, s ports.Store) {
	w := openWatch(t, s, ports.WatchOptions{GameID: "a"})
	records, _ := w.snapshot()
	require.Empty(t, records)
	put(t, s, running("b"))
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, running("a")))
}

func filterResume(t *testing.T, _ Harness, s ports.Store) {
	first := put(t, s, running("a"))
	lifeOfGames(t, s)
	stoppedAt := transition(t, s, stop("a", 5))
	lifeOfGames(t, s)
	end := put(t, s, removed("a"))
	w := openWatch(t, s, ports.WatchOptions{FromRevision: first.Revision, GameID: "a"})
	require.Equal(t, []int64{stoppedAt.Revision, end.Revision}, eventRevisions(w.until(end.Revision)))
}

// filterCombined changes a game so that either filter alone matches on some
// side, but never both on the same: such a change is not delivered.
func filterCombined(t *testing.T, _ Harness, s ports.Store) {
	runningThere := running("a")
	runningThere.Region = "us"
	put(t, s, runningThere)
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRunning, Region: "eu-west"})
	put(t, s, stopped("a"))
	requireChange(t, w, ports.EventTransitioned, pointer(stopped("a")), transition(t, s, resume("a", 5)))
}

package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func compactionBehaviours(h Harness) []behaviour {
	if h.Compact == nil {
		return nil
	}
	return []behaviour{
		{name: "records and ledgers survive", test: compactKeepsRecords, alone: true},
		{name: "a watch from below is ErrCompacted", test: compactEndsWatch, alone: true},
		{name: "a watch from below with Resync says resync and starts over", test: compactResync, alone: true},
		{name: "a resync keeps to the filters", test: compactResyncFiltered, alone: true},
		{name: "a watch from the compacted revision misses nothing", test: compactWatchAtFloor, alone: true},
		{name: "a watch that has caught up goes on", test: compactLiveWatch, alone: true},
		{name: "a list at a revision below is ErrCompacted", test: compactEndsList, alone: true},
		{name: "a list at the compacted revision still stands", test: compactListAtFloor, alone: true},
		{name: "a list that is under way below is ErrCompacted", test: compactMidList, alone: true},
		{name: "writes go on", test: compactWritesGoOn, alone: true},
	}
}

// compactedGames writes a history, compacts at its last revision and returns
// the revisions.
func compactedGames(t *testing.T, h Harness, s ports.Store) []int64 {
	t.Helper()
	revisions := lifeOfGames(t, s)
	h.Compact(t, s, revisions[len(revisions)-1])
	return revisions
}

func compactKeepsRecords(t *testing.T, h Harness, s ports.Store) {
	revisions := lifeOfGames(t, s)
	before := []state{stateOf(t, s, game(0)), stateOf(t, s, game(1)), stateOf(t, s, game(2))}
	h.Compact(t, s, revisions[len(revisions)-1])
	for _, was := range before {
		requireUntouched(t, s, was)
	}
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
}

func compactEndsWatch(t *testing.T, h Harness, s ports.Store) {
	revisions := compactedGames(t, h, s)
	openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0]}).fails(runtime.ErrCompacted)
	openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], GameID: game(2)}).fails(runtime.ErrCompacted)
}

func compactResync(t *testing.T, h Harness, s ports.Store) {
	revisions := compactedGames(t, h, s)
	want, err := s.List(t.Context())
	require.NoError(t, err)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], Resync: true})
	require.Equal(t, ports.EventResync, w.event().Type)
	records, at := w.snapshot()
	require.ElementsMatch(t, want, records)
	require.GreaterOrEqual(t, at, revisions[len(revisions)-1])
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, running("next")))
}

func compactResyncFiltered(t *testing.T, h Harness, s ports.Store) {
	revisions := compactedGames(t, h, s)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], Resync: true, GameID: game(1)})
	require.Equal(t, ports.EventResync, w.event().Type)
	records, _ := w.snapshot()
	require.Equal(t, []string{game(1)}, ids(records))
}

func compactWatchAtFloor(t *testing.T, h Harness, s ports.Store) {
	first := put(t, s, running("a"))
	moved := transition(t, s, stop("a", 5))
	last := transition(t, s, resume("a", 6))
	h.Compact(t, s, moved.Revision)
	require.Less(t, first.Revision, moved.Revision)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: moved.Revision})
	requireChange(t, w, ports.EventTransitioned, &moved.Record, last)
}

func compactLiveWatch(t *testing.T, h Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	revisions := lifeOfGames(t, s)
	last := revisions[len(revisions)-1]
	require.Equal(t, revisions, eventRevisions(w.until(last)))
	h.Compact(t, s, last)
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, running("next")))
}

func compactEndsList(t *testing.T, h Harness, s ports.Store) {
	revisions := compactedGames(t, h, s)
	for _, query := range []ports.PageQuery{{}, {Status: runtime.StatusRemoved}, {Region: "eu"}} {
		query.Limit, query.Revision = 10, revisions[0]
		page, err := s.ListPage(t.Context(), query)
		require.ErrorIs(t, err, runtime.ErrCompacted, "%+v", query)
		require.Zero(t, page)
	}
}

func compactListAtFloor(t *testing.T, h Harness, s ports.Store) {
	first := put(t, s, running("a"))
	put(t, s, running("b"))
	h.Compact(t, s, first.Revision)
	got, _ := collect(t, s, ports.PageQuery{Limit: 1, Revision: first.Revision})
	require.Equal(t, []runtime.VersionedRecord{first}, got)
}

func compactMidList(t *testing.T, h Harness, s ports.Store) {
	for n := range 4 {
		put(t, s, running(game(n)))
	}
	first, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 2})
	require.NoError(t, err)
	require.NotEmpty(t, first.Next)
	h.Compact(t, s, put(t, s, stopped(game(3))).Revision)
	_, err = s.ListPage(t.Context(), ports.PageQuery{Limit: 2, Revision: first.Revision, After: first.Next})
	require.ErrorIs(t, err, runtime.ErrCompacted)
}

func compactWritesGoOn(t *testing.T, h Harness, s ports.Store) {
	compactedGames(t, h, s)
	put(t, s, running(game(0)))
	pingPong(t, s, game(0), 4)
	require.ErrorIs(t, s.UpdateStatus(t.Context(), resume(game(0), 9)), runtime.ErrConflict)
	requireContiguous(t, stateOf(t, s, game(0)).history)
}

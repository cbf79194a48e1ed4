package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func compactionTests(h Harness) []contractTest {
	if h.Compact == nil {
		return nil
	}
	return []contractTest{
		{name: "records and ledgers survive", test: testCompactKeepsRecords, isIsolated: true},
		{name: "a watch from below is ErrCompacted", test: testCompactEndsWatch, isIsolated: true},
		{name: "a watch from below with Resync yields resync and a new snapshot", test: testCompactResync, isIsolated: true},
		{name: "a resync applies the filters", test: testCompactResyncFiltered, isIsolated: true},
		{name: "a watch from the compacted revision misses nothing", test: testWatchFromCompactedRevision, isIsolated: true},
		{name: "a watch that has caught up continues", test: testCompactLiveWatch, isIsolated: true},
		{name: "a list at a revision below is ErrCompacted, or comes from memory", test: testCompactEndsList, isIsolated: true},
		{name: "a list at the compacted revision is complete", test: testListAtCompactedRevision, isIsolated: true},
		{name: "the next page of a list at a revision below is ErrCompacted, or comes from memory", test: testCompactionDuringList, isIsolated: true},
		{name: "writes work as before", test: testCompactionKeepsWritesWorking, isIsolated: true},
	}
}

// putCompactedGames writes a history and compacts the store at its last revision. It
// returns the revisions of the writes.
func putCompactedGames(t *testing.T, h Harness, s Store) []int64 {
	t.Helper()
	revisions := putGameHistories(t, s)
	h.Compact(t, s, revisions[len(revisions)-1])
	return revisions
}

func testCompactKeepsRecords(t *testing.T, h Harness, s Store) {
	revisions := putGameHistories(t, s)
	before := []gameState{readState(t, s, GameName(0)), readState(t, s, GameName(1)), readState(t, s, GameName(2))}
	h.Compact(t, s, revisions[len(revisions)-1])
	for _, state := range before {
		requireUnchanged(t, s, state)
	}
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
}

func testCompactEndsWatch(t *testing.T, h Harness, s Store) {
	revisions := putCompactedGames(t, h, s)
	openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0]}).requireError(runtime.ErrCompacted)
	openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], GameID: GameName(2)}).requireError(runtime.ErrCompacted)
}

func testCompactResync(t *testing.T, h Harness, s Store) {
	revisions := putCompactedGames(t, h, s)
	want, err := s.List(t.Context())
	require.NoError(t, err)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], Resync: true})
	require.Equal(t, ports.EventResync, w.nextChange().Type)
	records, revision := w.readSnapshot()
	require.ElementsMatch(t, want, records)
	require.GreaterOrEqual(t, revision, revisions[len(revisions)-1])
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, RunningRecord("next")))
}

func testCompactResyncFiltered(t *testing.T, h Harness, s Store) {
	revisions := putCompactedGames(t, h, s)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: revisions[0], Resync: true, GameID: GameName(1)})
	require.Equal(t, ports.EventResync, w.nextChange().Type)
	records, _ := w.readSnapshot()
	require.Equal(t, []string{GameName(1)}, gameIDs(records))
}

func testWatchFromCompactedRevision(t *testing.T, h Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	stoppedVersion := applyTransition(t, s, stopInput("a", 5))
	last := applyTransition(t, s, resumeInput("a", 6))
	h.Compact(t, s, stoppedVersion.Revision)
	require.Less(t, first.Revision, stoppedVersion.Revision)
	w := openWatch(t, s, ports.WatchOptions{FromRevision: stoppedVersion.Revision})
	requireChange(t, w, ports.EventTransitioned, &stoppedVersion.Record, last)
}

func testCompactLiveWatch(t *testing.T, h Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	revisions := putGameHistories(t, s)
	last := revisions[len(revisions)-1]
	require.Equal(t, revisions, eventRevisions(w.readUntil(last)))
	h.Compact(t, s, last)
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, RunningRecord("next")))
}

func testCompactEndsList(t *testing.T, h Harness, s Store) {
	revisions := putCompactedGames(t, h, s)
	for _, query := range []ports.PageQuery{{}, {RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRemoved}}}, {RecordFilter: ports.RecordFilter{Regions: []string{"eu"}}}} {
		query.Limit, query.Revision = 10, revisions[0]
		page, err := s.ListPage(t.Context(), query)
		if err == nil {
			require.Equal(t, revisions[0], page.Revision, "the records in memory are of another revision")
			for _, record := range page.Records {
				require.LessOrEqual(t, record.Revision, revisions[0], "a later record")
			}
			continue
		}
		require.ErrorIs(t, err, runtime.ErrCompacted, "%+v", query)
		require.Zero(t, page)
	}
}

func testListAtCompactedRevision(t *testing.T, h Harness, s Store) {
	first := putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	h.Compact(t, s, first.Revision)
	got, _ := listAllPages(t, s, ports.PageQuery{Limit: 1, Revision: first.Revision})
	require.Equal(t, []runtime.VersionedRecord{first}, got)
}

func testCompactionDuringList(t *testing.T, h Harness, s Store) {
	for n := range 4 {
		putRecord(t, s, RunningRecord(GameName(n)))
	}
	whole, _ := listAllPages(t, s, ports.PageQuery{Limit: 10})
	firstPage, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 2})
	require.NoError(t, err)
	require.NotEmpty(t, firstPage.Next)
	h.Compact(t, s, putRecord(t, s, StoppedRecord(GameName(3))).Revision)
	next, err := s.ListPage(t.Context(), ports.PageQuery{Limit: 2, Revision: firstPage.Revision, After: firstPage.Next})
	if err != nil {
		require.ErrorIs(t, err, runtime.ErrCompacted)
		return
	}
	require.Equal(t, whole, append(firstPage.Records, next.Records...), "the records in memory are not those of the list")
}

func testCompactionKeepsWritesWorking(t *testing.T, h Harness, s Store) {
	putCompactedGames(t, h, s)
	putRecord(t, s, RunningRecord(GameName(0)))
	alternateStatus(t, s, GameName(0), 4)
	require.ErrorIs(t, s.UpdateStatus(t.Context(), resumeInput(GameName(0), 9)), runtime.ErrConflict)
	requireContiguous(t, readState(t, s, GameName(0)).history)
}

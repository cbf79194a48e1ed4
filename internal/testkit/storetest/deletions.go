package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func deletionTests(h Harness) []contractTest {
	if h.Delete == nil {
		return nil
	}
	return []contractTest{
		{name: "no read returns a deleted game", test: testDeletedIsAbsent},
		{name: "a watch yields deleted with Before only", test: testDeletedEvent},
		{name: "a deletion of a game inside the filter is delivered", test: testDeletedInFilter},
		{name: "a deletion of a game outside the filter is not delivered", test: testDeletedOutsideFilter},
		{name: "a watch that resumes replays a deletion", test: testDeletedReplayed},
		{name: "a deleted game is in no snapshot", test: testDeletedNotInSnapshot},
		{name: "a list at a revision before the deletion contains the game", test: testDeletedInEarlierList},
		{name: "a transition of a deleted game is ErrNotFound", test: testDeletedTransition},
		{name: "a Put of a deleted game inserts a new record", test: testDeletedGameIsInsertedAsNew},
	}
}

func testDeletedIsAbsent(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	h.Delete(t, s, "a")
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, gameIDs(all))
	requireListedUnder(t, s, "b", runtime.StatusRunning)
}

// requireDeleted fails unless the next event is the deletion of the record.
func requireDeleted(t *testing.T, w *watchReader, before runtime.VersionedRecord) {
	t.Helper()
	event := w.nextChange()
	require.Equal(t, ports.EventDeleted, event.Type)
	require.Equal(t, before.Record.GameID, event.GameID)
	require.Equal(t, &before.Record, event.Before)
	require.Nil(t, event.After)
	require.Greater(t, event.Revision, before.Revision)
}

func testDeletedEvent(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	h.Delete(t, s, "a")
	requireDeleted(t, w, before)
}

func testDeletedInFilter(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}, Regions: []string{before.Record.Region}}})
	h.Delete(t, s, "a")
	requireDeleted(t, w, before)
}

func testDeletedOutsideFilter(t *testing.T, h Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	h.Delete(t, s, "a")
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, RunningRecord("next")))
}

func testDeletedReplayed(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	h.Delete(t, s, "a")
	requireDeleted(t, openWatch(t, s, ports.WatchOptions{FromRevision: before.Revision}), before)
}

func testDeletedNotInSnapshot(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	putRecord(t, s, RunningRecord("b"))
	h.Delete(t, s, "a")
	records, _ := openWatch(t, s, ports.WatchOptions{}).readSnapshot()
	require.Equal(t, []string{"b"}, gameIDs(records))
}

func testDeletedInEarlierList(t *testing.T, h Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	h.Delete(t, s, "a")
	got, _ := listAllPages(t, s, ports.PageQuery{Limit: 10, Revision: before.Revision})
	require.Equal(t, []runtime.VersionedRecord{before}, got)
}

func testDeletedTransition(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	h.Delete(t, s, "a")
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stopInput("a", 5)), runtime.ErrNotFound)
	requireEmpty(t, s)
}

func testDeletedGameIsInsertedAsNew(t *testing.T, h Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	h.Delete(t, s, "a")
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	inserted, err := putAtRevision(t, s, StoppedRecord("a"), 0)
	require.NoError(t, err)
	requireChange(t, w, ports.EventUpserted, nil, inserted)
	require.Empty(t, readState(t, s, "a").history[0].From)
}

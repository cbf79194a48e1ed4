package storetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func deletionBehaviours(h Harness) []behaviour {
	if h.Delete == nil {
		return nil
	}
	return []behaviour{
		{name: "a deleted game is gone from every read", test: deletedIsGone},
		{name: "a watch says deleted with Before only", test: deletedEvent},
		{name: "a deletion from inside the filter is seen", test: deletedInFilter},
		{name: "a deletion from outside the filter is not seen", test: deletedOutsideFilter},
		{name: "a deletion is replayed to a watch that resumes", test: deletedReplayed},
		{name: "a deleted game is in no snapshot", test: deletedNotInSnapshot},
		{name: "a list at a revision before the deletion still has the game", test: deletedInEarlierList},
		{name: "a transition of a deleted game is ErrNotFound", test: deletedTransition},
		{name: "a deleted game comes back as a new one", test: deletedComesBack},
	}
}

func deletedIsGone(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	put(t, s, running("b"))
	h.Delete(t, s, "a")
	_, err := s.Get(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	_, err = s.History(t.Context(), "a")
	require.ErrorIs(t, err, runtime.ErrNotFound)
	all, err := s.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, ids(all))
	requireOnlyUnder(t, s, "b", runtime.StatusRunning)
}

// requireDeleted fails unless the next event is the deletion of the record.
func requireDeleted(t *testing.T, w *watchReader, before runtime.VersionedRecord) {
	t.Helper()
	event := w.event()
	require.Equal(t, ports.EventDeleted, event.Type)
	require.Equal(t, before.Record.GameID, event.GameID)
	require.Equal(t, &before.Record, event.Before)
	require.Nil(t, event.After)
	require.Greater(t, event.Revision, before.Revision)
}

func deletedEvent(t *testing.T, h Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{})
	h.Delete(t, s, "a")
	requireDeleted(t, w, before)
}

func deletedInFilter(t *testing.T, h Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRunning, Region: before.Record.Region})
	h.Delete(t, s, "a")
	requireDeleted(t, w, before)
}

func deletedOutsideFilter(t *testing.T, h Harness, s ports.Store) {
	put(t, s, stopped("a"))
	w := synced(t, s, ports.WatchOptions{Status: runtime.StatusRunning})
	h.Delete(t, s, "a")
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, running("next")))
}

func deletedReplayed(t *testing.T, h Harness, s ports.Store) {
	before := put(t, s, running("a"))
	h.Delete(t, s, "a")
	requireDeleted(t, openWatch(t, s, ports.WatchOptions{FromRevision: before.Revision}), before)
}

func deletedNotInSnapshot(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	put(t, s, running("b"))
	h.Delete(t, s, "a")
	records, _ := openWatch(t, s, ports.WatchOptions{}).snapshot()
	require.Equal(t, []string{"b"}, ids(records))
}

func deletedInEarlierList(t *testing.T, h Harness, s ports.Store) {
	before := put(t, s, running("a"))
	h.Delete(t, s, "a")
	got, _ := collect(t, s, ports.PageQuery{Limit: 10, Revision: before.Revision})
	require.Equal(t, []runtime.VersionedRecord{before}, got)
}

func deletedTransition(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	h.Delete(t, s, "a")
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stop("a", 5)), runtime.ErrNotFound)
	requireEmpty(t, s)
}

func deletedComesBack(t *testing.T, h Harness, s ports.Store) {
	put(t, s, running("a"))
	h.Delete(t, s, "a")
	w := synced(t, s, ports.WatchOptions{})
	back, err := putIf(t, s, stopped("a"), 0)
	require.NoError(t, err)
	requireChange(t, w, ports.EventUpserted, nil, back)
	require.Empty(t, stateOf(t, s, "a").history[0].From)
}

package memstore_test

import (
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

func running(gameID string) runtime.RuntimeRecord {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	return runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, CurrentContainerID: "container-1",
		CreatedAt: at, LastOpAt: at, StartedAt: &at,
	}
}

func upsert(t *testing.T, s *memstore.Store, gameIDs ...string) {
	t.Helper()
	for _, gameID := range gameIDs {
		require.NoError(t, s.Upsert(t.Context(), running(gameID)))
	}
}

// openWatch returns a function that returns the next event as text.
func openWatch(t *testing.T, s *memstore.Store, options ports.WatchOptions) func() string {
	t.Helper()
	next, stop := iter.Pull2(s.Watch(t.Context(), options))
	t.Cleanup(stop)
	return func() string {
		event, err, ok := next()
		require.True(t, ok, "the stream ended without a reason")
		if err != nil {
			return err.Error()
		}
		return fmt.Sprintf("%s %d %s last=%t", event.Type, event.Revision, event.GameID, event.Last)
	}
}

func revisionOf(t *testing.T, s *memstore.Store) int64 {
	t.Helper()
	revision, err := s.Revision(t.Context())
	require.NoError(t, err)
	return revision
}

func requireEvents(t *testing.T, next func() string, want ...string) {
	t.Helper()
	for _, line := range want {
		require.Equal(t, line, next())
	}
}

func TestRevisionStartsAtOneAndCountsWrites(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	require.Equal(t, int64(1), revisionOf(t, s))
	upsert(t, s, "a")
	require.Equal(t, int64(2), revisionOf(t, s))
	require.NoError(t, s.Compact(2))
	s.SetFence("/leaders/eu", 7)
	s.DeleteFence("/leaders/eu")
	s.DeleteKeys("missing")
	require.Equal(t, int64(2), revisionOf(t, s), "none of these changes a record")
	s.DeleteKeys("a")
	require.Equal(t, int64(3), revisionOf(t, s))
}

func TestCompactRejectsOtherRevisions(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	upsert(t, s, "a", "b")
	require.ErrorIs(t, s.Compact(4), runtime.ErrForeignRevision)
	require.NoError(t, s.Compact(3))
	require.NoError(t, s.Compact(3), "compacting at the same revision changes nothing")
	require.ErrorIs(t, s.Compact(2), runtime.ErrCompacted)
}

func TestSlowConsumerGetsErrCompacted(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	upsert(t, s, "a")
	next := openWatch(t, s, ports.WatchOptions{})
	requireEvents(t, next, "snapshot 2 a last=false", "synced 2  last=true")
	upsert(t, s, "b", "c")
	require.NoError(t, s.Compact(4))
	require.Contains(t, next(), runtime.ErrCompacted.Error())
}

func TestResyncDeliversDeletions(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	upsert(t, s, "a", "b", "c")
	next := openWatch(t, s, ports.WatchOptions{Resync: true})
	requireEvents(t, next,
		"snapshot 4 a last=false", "snapshot 4 b last=false", "snapshot 4 c last=false", "synced 4  last=true")
	s.DeleteKeys("a")
	s.DeleteKeys("c")
	upsert(t, s, "d")
	s.DeleteKeys("d")
	require.NoError(t, s.Compact(revisionOf(t, s)))
	requireEvents(t, next,
		"resync 4  last=false",
		"deleted 8 a last=false", "deleted 8 c last=false", "snapshot 8 b last=false", "synced 8  last=true")
	upsert(t, s, "a")
	requireEvents(t, next, "upserted 9 a last=true")
}

func TestResyncOmitsGamesOutsideTheFilter(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	upsert(t, s, "a")
	next := openWatch(t, s, ports.WatchOptions{Resync: true, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}})
	requireEvents(t, next, "snapshot 2 a last=false", "synced 2  last=true")
	require.NoError(t, s.UpdateStatus(t.Context(), ports.UpdateStatusInput{
		GameID: "a", ExpectedFrom: runtime.StatusRunning, To: runtime.StatusStopped, Now: time.Unix(1, 0),
	}))
	requireEvents(t, next, "transitioned 3 a last=true")
	s.DeleteKeys("a")
	require.NoError(t, s.Compact(4))
	requireEvents(t, next, "resync 3  last=false", "synced 4  last=true")
}

func TestBookmarkAdvancesIdleConsumer(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	next := openWatch(t, s, ports.WatchOptions{GameID: "a"})
	requireEvents(t, next, "synced 1  last=true")
	upsert(t, s, "b", "c")
	requireEvents(t, next, "bookmark 3  last=true")
	upsert(t, s, "a")
	requireEvents(t, next, "upserted 4 a last=true")
}

func TestLedgerKeepsThirtyTwoEntries(t *testing.T) {
	t.Parallel()
	s := memstore.New()
	for range 40 {
		upsert(t, s, "a")
	}
	entries, err := s.History(t.Context(), "a")
	require.NoError(t, err)
	require.Len(t, entries, 32)
	require.Equal(t, int64(40), entries[0].Seq)
	require.Equal(t, int64(9), entries[31].Seq)
}

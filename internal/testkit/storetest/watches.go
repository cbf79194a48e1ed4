package storetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func watchTests() []contractTest {
	return []contractTest{
		{name: "an empty store yields synced at once", test: testWatchEmpty},
		{name: "a snapshot yields every record once, then synced", test: testWatchSnapshot},
		{name: "the revision of synced is not below any record of the snapshot", test: testWatchSyncedRevision},
		{name: "every change after the snapshot is delivered once", test: testWatchFollows},
		{name: "an insert is upserted without Before", test: testWatchInsert},
		{name: "an overwrite is upserted with Before and After", test: testWatchOverwrite},
		{name: "an Upsert of the same record is an event too", test: testWatchSameUpsert},
		{name: "a transition is transitioned with Before and After", test: testWatchTransition},
		{name: "an event carries the revision that the write returned", test: testWatchRevision},
		{name: "each event's Before is the After of the game's previous event", test: testWatchChain},
		{name: "a conflict is no event", test: testWatchConflict},
		{name: "a repeated operation is no event", test: testWatchRepeat},
		{name: "the event of a single write has Last set", test: testWatchLast},
		{name: "nothing happens before the sequence is iterated", test: testWatchLazy},
		{name: "a slow consumer misses no event and delays no other consumer", test: testWatchSlowConsumer},
		{name: "concurrent watches each deliver every event", test: testWatchMany},
		{name: "events share no memory with the store or other consumers", test: testWatchSharesNothing},
		{name: "a snapshot taken during writes and the events after it yield the records of the store", test: testWatchDuringWrites},
	}
}

func testWatchEmpty(t *testing.T, _ Harness, s Store) {
	w := openWatch(t, s, ports.WatchOptions{})
	records, revision := w.readSnapshot()
	require.Empty(t, records)
	require.Positive(t, revision)
}

func testWatchSnapshot(t *testing.T, _ Harness, s Store) {
	want := []runtime.RuntimeRecord{RunningRecord("a"), StoppedRecord("b"), removedRecord("c")}
	for _, r := range want {
		putRecord(t, s, r)
	}
	records, _ := openWatch(t, s, ports.WatchOptions{}).readSnapshot()
	require.ElementsMatch(t, want, records)
}

func testWatchSyncedRevision(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	newest := putRecord(t, s, RunningRecord("b"))
	_, revision := openWatch(t, s, ports.WatchOptions{}).readSnapshot()
	require.GreaterOrEqual(t, revision, newest.Revision)
}

func testWatchFollows(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	w := openWatch(t, s, ports.WatchOptions{})
	_, syncedRevision := w.readSnapshot()
	want := recordRevisions(alternateStatus(t, s, "a", 20))
	require.Greater(t, want[0], syncedRevision)
	require.Equal(t, want, eventRevisions(w.readUntil(want[len(want)-1])))
}

func recordRevisions(records []runtime.VersionedRecord) []int64 {
	revisions := make([]int64, 0, len(records))
	for _, v := range records {
		revisions = append(revisions, v.Revision)
	}
	return revisions
}

func eventRevisions(events []ports.RuntimeEvent) []int64 {
	revisions := make([]int64, 0, len(events))
	for _, event := range events {
		revisions = append(revisions, event.Revision)
	}
	return revisions
}

// openSyncedWatch starts a watch and reads its snapshot.
func openSyncedWatch(t *testing.T, s Store, options ports.WatchOptions) *watchReader {
	t.Helper()
	w := openWatch(t, s, options)
	w.readSnapshot()
	return w
}

// requireChange fails unless the next event has the type and the records.
func requireChange(t *testing.T, w *watchReader, kind ports.EventType, before *runtime.RuntimeRecord, after runtime.VersionedRecord) {
	t.Helper()
	event := w.nextChange()
	require.Equal(t, kind, event.Type)
	require.Equal(t, after.Record.GameID, event.GameID)
	require.Equal(t, after.Revision, event.Revision)
	require.Equal(t, before, event.Before)
	require.Equal(t, &after.Record, event.After)
}

func testWatchInsert(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, nil, putRecord(t, s, StoppedRecord("a")))
}

func testWatchOverwrite(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, removedRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, &before.Record, putRecord(t, s, RunningRecord("a")))
}

func testWatchSameUpsert(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, &before.Record, putRecord(t, s, RunningRecord("a")))
}

func testWatchTransition(t *testing.T, _ Harness, s Store) {
	before := putRecord(t, s, RunningRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	after := applyTransition(t, s, stopInput("a", 5))
	requireChange(t, w, ports.EventTransitioned, &before.Record, after)
	requireChange(t, w, ports.EventTransitioned, &after.Record, applyTransition(t, s, TransitionInput("a", runtime.StatusStopped, runtime.StatusRemoved, 6)))
}

func testWatchRevision(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	record := putRecord(t, s, RunningRecord("a"))
	require.Equal(t, record.Revision, w.nextChange().Revision)
	require.NoError(t, s.UpdateStatus(t.Context(), stopInput("a", 5)))
	require.Equal(t, readState(t, s, "a").Revision, w.nextChange().Revision)
}

func testWatchChain(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	for n := range 3 {
		putRecord(t, s, RunningRecord(GameName(n)))
		alternateStatus(t, s, GameName(n), 6)
	}
	last := putRecord(t, s, removedRecord(GameName(0)))
	requireChain(t, w.readUntil(last.Revision))
}

// requireChain fails unless the Before of each event is the After of the game's
// previous event.
func requireChain(t *testing.T, events []ports.RuntimeEvent) {
	t.Helper()
	lastByGame := map[string]*runtime.RuntimeRecord{}
	for _, event := range events {
		if before, ok := lastByGame[event.GameID]; ok {
			require.Equal(t, before, event.Before, "before of %+v", event)
		}
		lastByGame[event.GameID] = event.After
	}
}

func testWatchConflict(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stopInput("a", 5)), runtime.ErrConflict)
	require.Equal(t, putRecord(t, s, RunningRecord("next")).Revision, w.nextChange().Revision)
}

func testWatchRepeat(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	_, err := s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	_, err = s.Transition(t.Context(), withOperationID(stopInput("a", 5), "op"))
	require.NoError(t, err)
	require.Equal(t, putRecord(t, s, RunningRecord("next")).Revision, w.nextChange().Revision)
}

func testWatchLast(t *testing.T, _ Harness, s Store) {
	w := openSyncedWatch(t, s, ports.WatchOptions{})
	putRecord(t, s, RunningRecord("a"))
	require.True(t, w.nextChange().Last)
	applyTransition(t, s, stopInput("a", 5))
	require.True(t, w.nextChange().Last)
}

func testWatchLazy(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	w := openWatch(t, s, ports.WatchOptions{})
	record := applyTransition(t, s, stopInput("a", 5))
	records, revision := w.readSnapshot()
	require.Equal(t, []runtime.RuntimeRecord{record.Record}, records)
	require.GreaterOrEqual(t, revision, record.Revision)
}

func testWatchSlowConsumer(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	slow, fast := openSyncedWatch(t, s, ports.WatchOptions{}), openSyncedWatch(t, s, ports.WatchOptions{})
	want := recordRevisions(alternateStatus(t, s, "a", 100))
	last := want[len(want)-1]
	require.Equal(t, want, eventRevisions(fast.readUntil(last)))
	require.Equal(t, want, eventRevisions(slow.readUntil(last)))
}

func testWatchMany(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, RunningRecord("a"))
	watches := []*watchReader{}
	for range 8 {
		watches = append(watches, openSyncedWatch(t, s, ports.WatchOptions{}))
	}
	want := recordRevisions(alternateStatus(t, s, "a", 10))
	for _, w := range watches {
		require.Equal(t, want, eventRevisions(w.readUntil(want[9])))
	}
}

func testWatchSharesNothing(t *testing.T, _ Harness, s Store) {
	putRecord(t, s, StoppedRecord("a"))
	first, second := openWatch(t, s, ports.WatchOptions{}), openWatch(t, s, ports.WatchOptions{})
	mutate(first.nextChange().After)
	first.nextChange()
	records, _ := second.readSnapshot()
	require.Equal(t, []runtime.RuntimeRecord{StoppedRecord("a")}, records)

	resumed := applyTransition(t, s, resumeInput("a", 5))
	event := first.nextChange()
	mutate(event.Before)
	mutate(event.After)
	before := StoppedRecord("a")
	requireChange(t, second, ports.EventTransitioned, &before, resumed)
	require.Equal(t, resumed, readState(t, s, "a").VersionedRecord)
}

// testWatchDuringWrites starts watches while writers run. The snapshot and the events of each
// watch must yield the final records of the store.
func testWatchDuringWrites(t *testing.T, _ Harness, s Store) {
	const writers, rounds = 4, 12
	progress := make(chan struct{}, writers*rounds)
	done := make(chan error, 1)
	go func() {
		err := errors.Join(RunConcurrently(writers, func(n int) error {
			for round := range rounds {
				if err := s.Upsert(t.Context(), NewRecord(GameName(n), runtime.Statuses()[round%3])); err != nil {
					return err
				}
				progress <- struct{}{}
			}
			return nil
		})...)
		// a closed channel never blocks the receiver, even if the writers failed early
		close(progress)
		done <- err
	}()
	watches := []*watchReader{}
	states := []map[string]runtime.RuntimeRecord{}
	for range 6 {
		<-progress
		w := openWatch(t, s, ports.WatchOptions{})
		records, _ := w.readSnapshot()
		watches, states = append(watches, w), append(states, ByGameID(records))
	}
	require.NoError(t, <-done)
	end := putRecord(t, s, RunningRecord("end"))
	all, err := s.List(t.Context())
	require.NoError(t, err)
	for i, w := range watches {
		events := w.readUntil(end.Revision)
		requireChain(t, events)
		for _, event := range events {
			if previous, ok := states[i][event.GameID]; ok {
				require.Equal(t, &previous, event.Before, "before of the change at %d", event.Revision)
			} else {
				require.Nil(t, event.Before, "the game had no record")
			}
			states[i][event.GameID] = *event.After
		}
		require.Equal(t, ByGameID(all), states[i], "the records of watch %d", i)
	}
}

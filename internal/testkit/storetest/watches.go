package storetest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func watchBehaviours() []behaviour {
	return []behaviour{
		{name: "an empty store gives synced at once", test: watchEmpty},
		{name: "a snapshot gives every record once, then synced", test: watchSnapshot},
		{name: "synced stands at or above every record in the snapshot", test: watchSyncedRevision},
		{name: "changes after the snapshot follow without gap or duplicate", test: watchFollows},
		{name: "an insert is upserted without Before", test: watchInsert},
		{name: "an overwrite is upserted with Before and After", test: watchOverwrite},
		{name: "an Upsert of the same record is an event too", test: watchSameUpsert},
		{name: "a transition is transitioned with Before and After", test: watchTransition},
		{name: "an event carries the revision that the writer was told", test: watchRevision},
		{name: "each event's Before is the After of the game's event before", test: watchChain},
		{name: "a conflict is no event", test: watchConflict},
		{name: "a repeated operation is no event", test: watchRepeat},
		{name: "the last event of a lone write has Last set", test: watchLast},
		{name: "nothing happens before the sequence is ranged over", test: watchLazy},
		{name: "a consumer that reads late loses nothing and delays nobody", test: watchSlow},
		{name: "watches do not disturb each other", test: watchMany},
		{name: "events share no memory with the store or other consumers", test: watchSharesNothing},
		{name: "a snapshot amid writes and what follows add up to the store", test: watchAmidWrites},
	}
}

func watchEmpty(t *testing.T, _ Harness, s ports.Store) {
	w := openWatch(t, s, ports.WatchOptions{})
	records, revision := w.snapshot()
	require.Empty(t, records)
	require.Positive(t, revision)
}

func watchSnapshot(t *testing.T, _ Harness, s ports.Store) {
	want := []runtime.RuntimeRecord{running("a"), stopped("b"), removed("c")}
	for _, r := range want {
		put(t, s, r)
	}
	records, _ := openWatch(t, s, ports.WatchOptions{}).snapshot()
	require.ElementsMatch(t, want, records)
}

func watchSyncedRevision(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	newest := put(t, s, running("b"))
	_, revision := openWatch(t, s, ports.WatchOptions{}).snapshot()
	require.GreaterOrEqual(t, revision, newest.Revision)
}

func watchFollows(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	w := openWatch(t, s, ports.WatchOptions{})
	_, synced := w.snapshot()
	want := revisionsOf(pingPong(t, s, "a", 20))
	require.Greater(t, want[0], synced)
	require.Equal(t, want, eventRevisions(w.until(want[len(want)-1])))
}

func revisionsOf(written []runtime.VersionedRecord) []int64 {
	revisions := make([]int64, 0, len(written))
	for _, v := range written {
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

// synced opens a watch and reads its snapshot.
func synced(t *testing.T, s ports.Store, options ports.WatchOptions) *watchReader {
	t.Helper()
	w := openWatch(t, s, options)
	w.snapshot()
	return w
}

// requireChange fails unless the next event is this change.
func requireChange(t *testing.T, w *watchReader, kind ports.EventType, before *runtime.RuntimeRecord, after runtime.VersionedRecord) {
	t.Helper()
	event := w.event()
	require.Equal(t, kind, event.Type)
	require.Equal(t, after.Record.GameID, event.GameID)
	require.Equal(t, after.Revision, event.Revision)
	require.Equal(t, before, event.Before)
	require.Equal(t, &after.Record, event.After)
}

func watchInsert(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, nil, put(t, s, stopped("a")))
}

func watchOverwrite(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, removed("a"))
	w := synced(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, &before.Record, put(t, s, running("a")))
}

func watchSameUpsert(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{})
	requireChange(t, w, ports.EventUpserted, &before.Record, put(t, s, running("a")))
}

func watchTransition(t *testing.T, _ Harness, s ports.Store) {
	before := put(t, s, running("a"))
	w := synced(t, s, ports.WatchOptions{})
	after := transition(t, s, stop("a", 5))
	requireChange(t, w, ports.EventTransitioned, &before.Record, after)
	requireChange(t, w, ports.EventTransitioned, &after.Record, transition(t, s, move("a", runtime.StatusStopped, runtime.StatusRemoved, 6)))
}

func watchRevision(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	written := put(t, s, running("a"))
	require.Equal(t, written.Revision, w.event().Revision)
	require.NoError(t, s.UpdateStatus(t.Context(), stop("a", 5)))
	require.Equal(t, stateOf(t, s, "a").Revision, w.event().Revision)
}

func watchChain(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	for n := range 3 {
		put(t, s, running(game(n)))
		pingPong(t, s, game(n), 6)
	}
	last := put(t, s, removed(game(0)))
	requireChain(t, w.until(last.Revision))
}

// requireChain fails unless the events of each game follow from each other.
func requireChain(t *testing.T, events []ports.RuntimeEvent) {
	t.Helper()
	known := map[string]*runtime.RuntimeRecord{}
	for _, event := range events {
		if before, ok := known[event.GameID]; ok {
			require.Equal(t, before, event.Before, "before of %+v", event)
		}
		known[event.GameID] = event.After
	}
}

func watchConflict(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	w := synced(t, s, ports.WatchOptions{})
	require.ErrorIs(t, s.UpdateStatus(t.Context(), stop("a", 5)), runtime.ErrConflict)
	require.Equal(t, put(t, s, running("next")).Revision, w.event().Revision)
}

func watchRepeat(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	_, err := s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	w := synced(t, s, ports.WatchOptions{})
	_, err = s.Transition(t.Context(), operation(stop("a", 5), "op"))
	require.NoError(t, err)
	require.Equal(t, put(t, s, running("next")).Revision, w.event().Revision)
}

func watchLast(t *testing.T, _ Harness, s ports.Store) {
	w := synced(t, s, ports.WatchOptions{})
	put(t, s, running("a"))
	require.True(t, w.event().Last)
	transition(t, s, stop("a", 5))
	require.True(t, w.event().Last)
}

func watchLazy(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	w := openWatch(t, s, ports.WatchOptions{})
	moved := transition(t, s, stop("a", 5))
	records, revision := w.snapshot()
	require.Equal(t, []runtime.RuntimeRecord{moved.Record}, records)
	require.GreaterOrEqual(t, revision, moved.Revision)
}

func watchSlow(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	slow, quick := synced(t, s, ports.WatchOptions{}), synced(t, s, ports.WatchOptions{})
	want := revisionsOf(pingPong(t, s, "a", 100))
	last := want[len(want)-1]
	require.Equal(t, want, eventRevisions(quick.until(last)))
	require.Equal(t, want, eventRevisions(slow.until(last)))
}

func watchMany(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, running("a"))
	watches := []*watchReader{}
	for range 8 {
		watches = append(watches, synced(t, s, ports.WatchOptions{}))
	}
	want := revisionsOf(pingPong(t, s, "a", 10))
	for _, w := range watches {
		require.Equal(t, want, eventRevisions(w.until(want[9])))
	}
}

func watchSharesNothing(t *testing.T, _ Harness, s ports.Store) {
	put(t, s, stopped("a"))
	first, second := openWatch(t, s, ports.WatchOptions{}), openWatch(t, s, ports.WatchOptions{})
	scribble(first.event().After)
	first.event()
	records, _ := second.snapshot()
	require.Equal(t, []runtime.RuntimeRecord{stopped("a")}, records)

	moved := transition(t, s, resume("a", 5))
	event := first.event()
	scribble(event.Before)
	scribble(event.After)
	before := stopped("a")
	requireChange(t, second, ports.EventTransitioned, &before, moved)
	require.Equal(t, moved, stateOf(t, s, "a").VersionedRecord)
}

// watchAmidWrites opens watches while writers are at work; each has to arrive at
// what the store holds in the end.
func watchAmidWrites(t *testing.T, _ Harness, s ports.Store) {
	const writers, rounds = 4, 12
	progress := make(chan struct{}, writers*rounds)
	done := make(chan error, 1)
	go func() {
		failed := errors.Join(atOnce(writers, func(n int) error {
			for round := range rounds {
				if err := s.Upsert(t.Context(), record(game(n), runtime.Statuses()[round%3])); err != nil {
					return err
				}
				progress <- struct{}{}
			}
			return nil
		})...)
		// whoever waits for progress goes on, also when the writers failed early
		close(progress)
		done <- failed
	}()
	watches := []*watchReader{}
	believed := []map[string]runtime.RuntimeRecord{}
	for range 6 {
		<-progress
		w := openWatch(t, s, ports.WatchOptions{})
		records, _ := w.snapshot()
		watches, believed = append(watches, w), append(believed, byID(records))
	}
	require.NoError(t, <-done)
	end := put(t, s, running("end"))
	all, err := s.List(t.Context())
	require.NoError(t, err)
	for i, w := range watches {
		events := w.until(end.Revision)
		requireChain(t, events)
		for _, event := range events {
			if was, ok := believed[i][event.GameID]; ok {
				require.Equal(t, &was, event.Before, "before of the change at %d", event.Revision)
			} else {
				require.Nil(t, event.Before, "the game was not known")
			}
			believed[i][event.GameID] = *event.After
		}
		require.Equal(t, byID(all), believed[i], "what watch %d adds up to", i)
	}
}

package storetest

import (
	"context"
	"iter"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// watchPatience is how long a behaviour waits for an event before it fails.
const watchPatience = 10 * time.Second

// watchReader takes a stream one event at a time and checks on each that it
// has the shape its type promises and comes after the one before.
type watchReader struct {
	t        *testing.T
	next     func() (ports.RuntimeEvent, error, bool)
	position int64 // the last revision that could be resumed from
	opening  bool  // between the start or a resync, and synced
}

// openWatch starts to read the stream that the options ask for. The watch ends
// with the test, or when nothing is heard in time.
func openWatch(t *testing.T, s ports.Store, options ports.WatchOptions) *watchReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), watchPatience)
	return openWatchIn(ctx, t, cancel, s, options)
}

func openWatchIn(ctx context.Context, t *testing.T, cancel context.CancelFunc, s ports.Store, options ports.WatchOptions) *watchReader {
	next, stop := iter.Pull2(s.Watch(ctx, options))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return &watchReader{t: t, next: next, position: options.FromRevision, opening: options.FromRevision == 0}
}

// raw returns the next event of any type.
func (w *watchReader) raw() ports.RuntimeEvent {
	w.t.Helper()
	event, err, ok := w.next()
	require.True(w.t, ok, "the stream ended without a reason")
	require.NoError(w.t, err, "next event of the watch")
	w.check(event)
	return event
}

// event returns the next event that is no bookmark.
func (w *watchReader) event() ports.RuntimeEvent {
	w.t.Helper()
	for {
		if event := w.raw(); event.Type != ports.EventBookmark {
			return event
		}
	}
}

// snapshot reads up to synced and returns the records and the revision that
// they stand at.
func (w *watchReader) snapshot() ([]runtime.RuntimeRecord, int64) {
	w.t.Helper()
	records := []runtime.RuntimeRecord{}
	revisions := map[int64]bool{}
	for {
		event := w.event()
		revisions[event.Revision] = true
		if event.Type == ports.EventSynced {
			require.Len(w.t, revisions, 1, "a snapshot and its synced stand at one revision")
			return records, event.Revision
		}
		require.Equal(w.t, ports.EventSnapshot, event.Type, "before synced")
		records = append(records, *event.After)
	}
}

// until reads up to the change at the revision and returns all changes, it included.
func (w *watchReader) until(revision int64) []ports.RuntimeEvent {
	w.t.Helper()
	var events []ports.RuntimeEvent
	for {
		event := w.event()
		events = append(events, event)
		if event.Revision >= revision {
			require.Equal(w.t, revision, event.Revision, "the change at revision %d is missing", revision)
			return events
		}
	}
}

// fails wants the stream to end now with the error, beside a zero event.
func (w *watchReader) fails(target error) {
	w.t.Helper()
	for {
		event, err, ok := w.next()
		require.True(w.t, ok, "the stream ended without a reason; want %v", target)
		if err == nil && event.Type == ports.EventBookmark {
			continue
		}
		require.ErrorIs(w.t, err, target, "got event %+v", event)
		require.Zero(w.t, event, "beside the error that ends the stream")
		_, err, ok = w.next()
		require.False(w.t, ok, "the stream went on after the error that ends it, with %v", err)
		return
	}
}

func (w *watchReader) check(event ports.RuntimeEvent) {
	w.t.Helper()
	if event.Type != ports.EventResync {
		require.GreaterOrEqual(w.t, event.Revision, w.position, "revisions never go back: %+v", event)
	}
	switch event.Type {
	case ports.EventSnapshot:
		require.True(w.t, w.opening, "snapshot after synced: %+v", event)
		require.Nil(w.t, event.Before)
		w.checkRecord(event, event.After)
		require.False(w.t, event.Last, "nobody can resume inside a snapshot")
	case ports.EventSynced:
		require.True(w.t, w.opening, "synced twice")
		w.opening = false
		w.checkBare(event)
		require.True(w.t, event.Last, "a consumer can resume from synced")
	case ports.EventUpserted:
		w.checkChange(event)
		w.checkRecord(event, event.After)
	case ports.EventTransitioned:
		w.checkChange(event)
		w.checkRecord(event, event.Before)
		w.checkRecord(event, event.After)
	case ports.EventDeleted:
		w.checkChange(event)
		w.checkRecord(event, event.Before)
		require.Nil(w.t, event.After)
	case ports.EventBookmark:
		require.False(w.t, w.opening, "bookmark inside a snapshot")
		w.checkBare(event)
		require.True(w.t, event.Last, "a consumer can resume from a bookmark")
	case ports.EventResync:
		w.opening = true
		w.checkBare(event)
		require.False(w.t, event.Last, "nobody can resume from a resync")
	default:
		require.Fail(w.t, "unknown type of event", "%+v", event)
	}
	if event.Last {
		w.position = event.Revision
	}
}

func (w *watchReader) checkChange(event ports.RuntimeEvent) {
	w.t.Helper()
	require.False(w.t, w.opening, "change inside a snapshot: %+v", event)
	require.Greater(w.t, event.Revision, w.position, "a revision goes on after its last event: %+v", event)
}

func (w *watchReader) checkRecord(event ports.RuntimeEvent, r *runtime.RuntimeRecord) {
	w.t.Helper()
	require.NotNil(w.t, r, "%s without its record", event.Type)
	require.NotEmpty(w.t, event.GameID)
	require.Equal(w.t, event.GameID, r.GameID, "the record is of the event's game")
}

func (w *watchReader) checkBare(event ports.RuntimeEvent) {
	w.t.Helper()
	require.Empty(w.t, event.GameID, "%s speaks of no game", event.Type)
	require.Nil(w.t, event.Before)
	require.Nil(w.t, event.After)
}

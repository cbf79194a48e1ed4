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

// WatchTimeout is how long a test waits for the events of a watch.
const WatchTimeout = time.Minute

// watchReader reads a stream one event at a time. It checks that each event has the
// fields of its type and that revisions do not decrease.
type watchReader struct {
	t              *testing.T
	next           func() (ports.RuntimeEvent, error, bool)
	resumeRevision int64 // the last revision that a consumer can resume from
	isInSnapshot   bool  // between the start or a resync and synced
}

// openWatch starts a watch with the options. It ends with the test or after
// WatchTimeout.
func openWatch(t *testing.T, s Store, options ports.WatchOptions) *watchReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), WatchTimeout)
	t.Cleanup(cancel)
	return openWatchIn(ctx, t, s, options)
}

// openWatchIn is openWatch with a context.
func openWatchIn(ctx context.Context, t *testing.T, s Store, options ports.WatchOptions) *watchReader {
	next, stop := iter.Pull2(s.Watch(ctx, options))
	t.Cleanup(stop)
	return &watchReader{t: t, next: next, resumeRevision: options.FromRevision, isInSnapshot: options.FromRevision == 0}
}

// nextEvent returns the next event, bookmarks included.
func (w *watchReader) nextEvent() ports.RuntimeEvent {
	w.t.Helper()
	event, err, ok := w.next()
	require.True(w.t, ok, "the stream ended without a reason")
	require.NoError(w.t, err, "next event of the watch")
	w.checkEvent(event)
	return event
}

// nextChange returns the next event that is not a bookmark.
func (w *watchReader) nextChange() ports.RuntimeEvent {
	w.t.Helper()
	for {
		if event := w.nextEvent(); event.Type != ports.EventBookmark {
			return event
		}
	}
}

// readSnapshot reads up to synced and returns the records and their revision.
func (w *watchReader) readSnapshot() ([]runtime.RuntimeRecord, int64) {
	w.t.Helper()
	records := []runtime.RuntimeRecord{}
	revisions := map[int64]bool{}
	for {
		event := w.nextChange()
		revisions[event.Revision] = true
		if event.Type == ports.EventSynced {
			require.Len(w.t, revisions, 1, "a snapshot and its synced have one revision")
			return records, event.Revision
		}
		require.Equal(w.t, ports.EventSnapshot, event.Type, "before synced")
		records = append(records, *event.After)
	}
}

// readUntil reads up to the change at the revision and returns all changes, including it.
func (w *watchReader) readUntil(revision int64) []ports.RuntimeEvent {
	w.t.Helper()
	var events []ports.RuntimeEvent
	for {
		event := w.nextChange()
		events = append(events, event)
		if event.Revision >= revision {
			require.Equal(w.t, revision, event.Revision, "the change at revision %d is missing", revision)
			return events
		}
	}
}

// requireError fails unless the stream ends now with the error and a zero event.
func (w *watchReader) requireError(target error) {
	w.t.Helper()
	for {
		event, err, ok := w.next()
		require.True(w.t, ok, "the stream ended without a reason; want %v", target)
		if err == nil && event.Type == ports.EventBookmark {
			continue
		}
		require.ErrorIs(w.t, err, target, "got event %+v", event)
		require.Zero(w.t, event, "the event of the error that ends the stream")
		_, err, ok = w.next()
		require.False(w.t, ok, "the stream continued after the error that ends it, with %v", err)
		return
	}
}

// checkEvent fails unless the event has the fields of its type and is allowed at this point
// of the stream.
func (w *watchReader) checkEvent(event ports.RuntimeEvent) {
	w.t.Helper()
	if event.Type != ports.EventResync {
		require.GreaterOrEqual(w.t, event.Revision, w.resumeRevision, "revisions never decrease: %+v", event)
	}
	switch event.Type {
	case ports.EventSnapshot:
		require.True(w.t, w.isInSnapshot, "snapshot after synced: %+v", event)
		require.Nil(w.t, event.Before)
		w.checkRecord(event, event.After)
		require.False(w.t, event.Last, "a consumer cannot resume inside a snapshot")
	case ports.EventSynced:
		require.True(w.t, w.isInSnapshot, "synced twice")
		w.isInSnapshot = false
		w.checkNoRecord(event)
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
		require.False(w.t, w.isInSnapshot, "bookmark inside a snapshot")
		w.checkNoRecord(event)
		require.True(w.t, event.Last, "a consumer can resume from a bookmark")
	case ports.EventResync:
		w.isInSnapshot = true
		if event.Reason != ports.ResyncCompacted {
			w.resumeRevision = 0 // of another history
		}
		w.checkNoRecord(event)
		require.False(w.t, event.Last, "a consumer cannot resume from a resync")
	default:
		require.Fail(w.t, "unknown type of event", "%+v", event)
	}
	if event.Last {
		w.resumeRevision = event.Revision
	}
}

func (w *watchReader) checkChange(event ports.RuntimeEvent) {
	w.t.Helper()
	require.False(w.t, w.isInSnapshot, "change inside a snapshot: %+v", event)
	require.Greater(w.t, event.Revision, w.resumeRevision, "an event follows the last event of its revision: %+v", event)
}

func (w *watchReader) checkRecord(event ports.RuntimeEvent, r *runtime.RuntimeRecord) {
	w.t.Helper()
	require.NotNil(w.t, r, "%s without its record", event.Type)
	require.NotEmpty(w.t, event.GameID)
	require.Equal(w.t, event.GameID, r.GameID, "the record belongs to the event's game")
}

func (w *watchReader) checkNoRecord(event ports.RuntimeEvent) {
	w.t.Helper()
	require.Empty(w.t, event.GameID, "%s names no game", event.Type)
	require.Nil(w.t, event.Before)
	require.Nil(w.t, event.After)
}

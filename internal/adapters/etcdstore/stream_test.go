package etcdstore_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// stream reads a watch one event at a time.
type stream struct {
	t    *testing.T
	next func() (ports.RuntimeEvent, error, bool)
	stop func()
}

// watch starts to read a watch, which ends with the test or if no event arrives in time.
func (r fixture) watch(options ports.WatchOptions) *stream {
	r.t.Helper()
	next, stop := iter.Pull2(r.Watch(within(r.t, testTimeout), options))
	r.t.Cleanup(stop)
	return &stream{t: r.t, next: next, stop: stop}
}

// raw returns the next element of the stream.
func (s *stream) raw() (ports.RuntimeEvent, error) {
	s.t.Helper()
	event, err, ok := s.next()
	require.True(s.t, ok, "the stream ended without a reason")
	return event, err
}

// event returns the next event that is not a bookmark.
func (s *stream) event() ports.RuntimeEvent {
	s.t.Helper()
	for {
		event, err := s.raw()
		require.NoError(s.t, err, "next event of the watch")
		if event.Type != ports.EventBookmark {
			return event
		}
	}
}

// fault returns the next corrupt value that the watch reports.
func (s *stream) fault() (ports.RuntimeEvent, error) {
	s.t.Helper()
	for {
		event, err := s.raw()
		if err != nil || event.Type != ports.EventBookmark {
			require.ErrorIs(s.t, err, runtime.ErrCorrupt, "got %+v", event)
			return event, err
		}
	}
}

// ends requires that the stream ends now, for this reason.
func (s *stream) ends(reason error) {
	s.t.Helper()
	for {
		event, err, ok := s.next()
		require.True(s.t, ok, "the stream ended without a reason")
		if err == nil && event.Type == ports.EventBookmark {
			continue
		}
		require.ErrorIs(s.t, err, reason, "got %+v", event)
		_, _, ok = s.next()
		require.False(s.t, ok, "the stream continued after its error")
		return
	}
}

// synced reads a snapshot to its end. It returns the games in it, the games that it
// reports as deleted, and its revision.
func (s *stream) synced() (games, deleted []string, revision int64) {
	s.t.Helper()
	for {
		event := s.event()
		switch event.Type {
		case ports.EventSnapshot:
			games = append(games, event.GameID)
		case ports.EventDeleted:
			deleted = append(deleted, event.GameID)
		case ports.EventSynced:
			return games, deleted, event.Revision
		default:
			require.Fail(s.t, "not part of a snapshot", "%+v", event)
		}
	}
}

// change requires that the next event is the change that wrote this record.
func (s *stream) change(want runtime.VersionedRecord) ports.RuntimeEvent {
	s.t.Helper()
	event := s.event()
	require.NotNil(s.t, event.After, "%+v", event)
	require.Equal(s.t, want, runtime.VersionedRecord{Record: *event.After, Revision: event.Revision})
	return event
}

// bookmark returns the next bookmark at the revision or above.
func (s *stream) bookmark(revision int64) {
	s.t.Helper()
	for {
		event, err := s.raw()
		require.NoError(s.t, err)
		require.Equal(s.t, ports.EventBookmark, event.Type, "%+v", event)
		require.True(s.t, event.Last)
		if event.Revision >= revision {
			return
		}
	}
}

package httpserver_test

import (
	"context"
	"iter"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A client that resumes from a compacted revision gets a 410, or a snapshot if it has
// requested resync.
func TestWatchFromACompactedRevision(t *testing.T) {
	t.Parallel()
	f := startWithRecords(t, httpserver.Config{OpenDelay: testTimeout})
	late := f.send("GET", "/v1/watch?from_revision=2", "", "")
	require.Equal(t, http.StatusGone, late.StatusCode, late.body)
	require.Equal(t, api.CodeCompacted, late.problem(t).Code)
	for _, headers := range bothFormats {
		f.watch("?from_revision=2&resync=true", headers).expect("resync 2", "snapshot g 6", "snapshot r 6", "snapshot s 6", "synced 6")
		f.watch("?resync=true", headers+"Last-Event-ID: 3\r\n").expect("resync 3", "snapshot g 6", "snapshot r 6", "snapshot s 6", "synced 6")
	}
}

// A stream that lags behind compaction restarts with a snapshot, and reports the games
// that were deleted in between.
func TestWatchResyncsInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, catchUp := startLagging(t)
			s := f.watch("?resync=true", headers)
			s.expect("snapshot gone 3", "snapshot kept 3", "synced 3")
			catchUp()
			story := s.expect("resync 3", "deleted gone 6", "snapshot kept 6", "snapshot new 6", "synced 6")
			require.Equal(t, "gone", story[1].Before.GameID)
			for i, e := range story {
				require.Equal(t, i == 4, e.Last, "no event before synced can be resumed from: %s", e.raw)
			}
			require.NoError(t, f.store.Upsert(t.Context(), recordOf("kept")))
			s.expect("upserted kept 7")
		})
	}
}

// Without resync the same stream ends with the reason.
func TestWatchEndsWhenCompactedInTheMiddle(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, catchUp := startLagging(t)
			s := f.watch("", headers)
			s.expect("snapshot gone 3", "snapshot kept 3", "synced 3")
			catchUp()
			last := s.next()
			require.Equal(t, "error", last.Type, last.raw)
			require.Equal(t, api.CodeCompacted, last.Error.Code)
			require.Equal(t, http.StatusGone, last.Error.Status)
			require.True(t, *last.Final)
			require.Empty(t, last.id, "a client cannot resume from an error")
			s.end()
		})
	}
}

// startLagging serves the games gone and kept. The first watch stops after its
// snapshot, and misses what the returned function does.
func startLagging(t *testing.T) (f *fixture, catchUp func()) {
	t.Helper()
	store := &laggingStore{Store: memstore.New(), proceed: make(chan struct{})}
	for _, id := range []string{"gone", "kept"} {
		require.NoError(t, store.Upsert(t.Context(), recordOf(id)))
	}
	f = startWithStore(t, store, httpserver.Config{})
	f.store = store.Store
	return f, func() {
		require.NoError(t, store.Upsert(t.Context(), recordOf("new")))
		require.NoError(t, store.Upsert(t.Context(), recordOf("kept")))
		store.DeleteKeys("gone")
		require.NoError(t, store.Compact(6))
		close(store.proceed)
	}
}

// laggingStore is a memory store whose watches stop after their snapshot until proceed
// is closed.
type laggingStore struct {
	*memstore.Store
	proceed chan struct{}
}

func (s *laggingStore) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		for event, err := range s.Store.Watch(ctx, options) {
			if !yield(event, err) {
				return
			}
			if event.Type == ports.EventSynced {
				select {
				case <-s.proceed:
				case <-ctx.Done():
				}
			}
		}
	}
}

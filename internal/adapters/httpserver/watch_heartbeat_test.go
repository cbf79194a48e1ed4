package httpserver_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/ports"
)

const shortHeartbeat = 20 * time.Millisecond

// An idle stream of server-sent events has comments, which clients ignore, and
// continues after them.
func TestHeartbeatsAreComments(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Heartbeat: shortHeartbeat})
	s := f.watch("", "")
	require.Equal(t, "1", s.head.Header.Get("Rtmanager-Heartbeat"), "whole seconds, and never 0, which would mean no heartbeats")
	s.expect("synced 1")
	for range 3 {
		require.Equal(t, ": hb\n\n", s.element().raw)
	}
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	s.expect("upserted g 2")
	require.Equal(t, ": hb\n\n", s.element().raw)
}

// NDJSON has no comments: an idle stream repeats the bookmark of the latest revision to
// resume from.
func TestHeartbeatsOfNDJSONAreBookmarks(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{Heartbeat: shortHeartbeat})
	c := contractOf(t, f)
	s := f.watch("", ndjson)
	require.Equal(t, "synced 1", s.nextChange().brief())
	s.expect("bookmark 1", "bookmark 1")
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("g")))
	e := s.next()
	for ; e.Type == "bookmark"; e = s.next() {
		require.Equal(t, `{"type":"bookmark","revision":1,"last":true}`+"\n", e.raw)
	}
	require.Equal(t, "upserted g 2", e.brief())
	heartbeat := s.next()
	require.Equal(t, `{"type":"bookmark","revision":2,"last":true}`+"\n", heartbeat.raw)
	c.requireValid(t, heartbeat.raw, "components", "schemas", "Event")
	f.watch("?from_revision=2", ndjson).expect("bookmark 2", "bookmark 2")
}

// Before there is a revision to resume from, a heartbeat does not name one.
func TestHeartbeatsBeforeSyncedNameNoRevision(t *testing.T) {
	t.Parallel()
	record := recordOf("g")
	snapshot := watchStep{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: 9, GameID: "g", After: &record}}
	resync := watchStep{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: 9}}
	for name, opening := range map[string]struct {
		query string
		steps []watchStep
	}{"in a snapshot": {"", []watchStep{snapshot}}, "in a resync": {"?from_revision=5&resync=true", []watchStep{resync, snapshot}}} {
		s := startWithStore(t, newScriptedStore(opening.steps...), httpserver.Config{Heartbeat: shortHeartbeat}).watch(opening.query, ndjson)
		for range opening.steps {
			s.nextChange()
		}
		for range 2 {
			require.Equal(t, `{"type":"bookmark","revision":0}`+"\n", s.element().raw, name)
		}
	}
}

// A store without an event does not delay the status 200.
func TestIdleWatchIsOpened(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		store := newScriptedStore()
		s := startWithStore(t, store, httpserver.Config{}).watch("?from_revision=7", headers)
		require.Equal(t, 200, s.head.StatusCode, name)
		require.True(t, strings.HasPrefix(s.head.Header.Get("Rtmanager-Heartbeat"), "15"), name)
		require.Equal(t, int64(1), store.open.Load(), name)
	}
}

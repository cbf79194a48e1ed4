package httpclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A server may have to begin a stream before its store has spoken. What the
// store then says first is still the answer to whether there is a watch at all.
func TestRefusalOnAStreamThatHasBroughtNothingEndsTheWatch(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status  int
		code    string
		options ports.WatchOptions
		want    error
	}{
		"another store":                {http.StatusBadRequest, api.CodeForeignRevision, ports.WatchOptions{FromRevision: 7}, runtime.ErrForeignRevision},
		"another store, with resync":   {http.StatusBadRequest, api.CodeForeignRevision, ports.WatchOptions{FromRevision: 7, Resync: true}, runtime.ErrForeignRevision},
		"compacted":                    {http.StatusGone, api.CodeCompacted, ports.WatchOptions{FromRevision: 7}, runtime.ErrCompacted},
		"no store to make a snapshot":  {http.StatusServiceUnavailable, api.CodeUnavailable, ports.WatchOptions{}, runtime.ErrUnavailable},
		"a store of another time":      {http.StatusInternalServerError, api.CodeIncompatible, ports.WatchOptions{}, runtime.ErrIncompatible},
		"a fault that nobody explains": {http.StatusInternalServerError, api.CodeInternal, ports.WatchOptions{FromRevision: 7, Resync: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := playing(t, quick(), func(s stage) { s.open("s").refuse(row.status, row.code) })
			requireOnly(t, row.want, consume(t, client, row.options).ends())
			require.EqualValues(t, 1, requests.Load(), "requests")
		})
	}
}

// A watch from a revision is silent until something changes, so one that is
// told to come back later may well have begun.
func TestServerThatLeavesAnIdleWatchIsWaitedFor(t *testing.T) {
	t.Parallel()
	client, _ := playing(t, quick(),
		func(s stage) { s.open("s").refuse(http.StatusServiceUnavailable, api.CodeUnavailable) },
		func(s stage) { page(s.w, http.StatusBadGateway) },
		func(s stage) { page(s.w, http.StatusTooManyRequests) },
		func(s stage) { s.open("s").events(upserted(8, "a")).idle() },
	)
	consume(t, client, ports.WatchOptions{FromRevision: 7}).hears("upserted 8 a")
}

// A heartbeat of absurd length must not wrap around to none at all.
func TestAbsurdHeartbeatIsNoSilence(t *testing.T) {
	t.Parallel()
	client, requests := playing(t, quick(), func(s stage) {
		s.w.Header().Set(api.HeaderHeartbeat, "9000000000")
		s.open("s").events(snapshotOf(5)...).events(upserted(6, "a")).idle()
	})
	consume(t, client, ports.WatchOptions{}).hears("synced 5 ", "upserted 6 a")
	require.EqualValues(t, 1, requests.Load(), "connections")
}

// A server that begins a stream of another store, whatever it says later, is
// not listened to, and its name is not taken for the watch's.
func TestStreamOfAnotherStoreIsRefused(t *testing.T) {
	t.Parallel()
	scenes := []func(stage){
		func(s stage) { s.open("first").events(snapshotOf(5, "a")...).cut() },
		func(s stage) {
			s.open("second")
			if s.r.URL.Query().Get("from_revision") != "" {
				s.cut()
			}
			s.events(snapshotOf(3, "b")...).idle()
		},
	}
	t.Run("without resync", func(t *testing.T) {
		t.Parallel()
		client, _ := playing(t, quick(), scenes...)
		c := consume(t, client, ports.WatchOptions{})
		c.hears("snapshot 5 a", "synced 5 ")
		requireOnly(t, runtime.ErrForeignRevision, c.ends())
	})
	t.Run("with resync", func(t *testing.T) {
		t.Parallel()
		client, _ := playing(t, quick(), scenes...)
		c := consume(t, client, ports.WatchOptions{Resync: true})
		c.hears("snapshot 5 a", "synced 5 ", "resync 3 ", "snapshot 3 b", "deleted 3 a", "synced 3 ")
	})
}

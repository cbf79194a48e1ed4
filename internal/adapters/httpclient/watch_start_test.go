package httpclient_test

import (
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// A server may have to open a stream before its store has responded. An error of the
// store as the first event then means that the watch has not started.
func TestErrorAsFirstEventEndsTheWatch(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		status  int
		code    api.Code
		options ports.WatchOptions
		want    error
	}{
		"another store":               {http.StatusBadRequest, api.CodeForeignRevision, ports.WatchOptions{FromRevision: 7}, runtime.ErrForeignRevision},
		"compacted":                   {http.StatusGone, api.CodeCompacted, ports.WatchOptions{FromRevision: 7}, runtime.ErrCompacted},
		"no store to make a snapshot": {http.StatusServiceUnavailable, api.CodeUnavailable, ports.WatchOptions{}, runtime.ErrUnavailable},
		"an incompatible store":       {http.StatusInternalServerError, api.CodeIncompatible, ports.WatchOptions{}, runtime.ErrIncompatible},
		"an internal error":           {http.StatusInternalServerError, api.CodeInternal, ports.WatchOptions{FromRevision: 7, Resync: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, requests := scriptedClient(t, fastRetries(), func(s exchange) { s.openStream("s").sendFinalError(row.status, row.code) })
			requireOnly(t, row.want, startWatch(t, client, row.options).requireEnd())
			require.EqualValues(t, 1, requests.Load(), "requests")
		})
	}
}

// A watch from a revision sends nothing until a record changes. So it may have started
// even if "unavailable" is the first event that it receives.
func TestIdleWatchSurvivesAServerShutdown(t *testing.T) {
	t.Parallel()
	client, _ := scriptedClient(t, fastRetries(),
		func(s exchange) { s.openStream("s").sendFinalError(http.StatusServiceUnavailable, api.CodeUnavailable) },
		func(s exchange) { htmlPage(s.w, http.StatusBadGateway) },
		func(s exchange) { htmlPage(s.w, http.StatusTooManyRequests) },
		func(s exchange) { s.openStream("s").sendEvents(upserted(8, "a")).hang() },
	)
	startWatch(t, client, ports.WatchOptions{FromRevision: 7}).requireSteps("upserted 8 a")
}

// An excessive heartbeat interval must not overflow to an immediate idle timeout.
func TestExcessiveHeartbeatIsIgnored(t *testing.T) {
	t.Parallel()
	client, requests := scriptedClient(t, fastRetries(), func(s exchange) {
		s.w.Header().Set(api.HeaderHeartbeat, "9000000000")
		s.openStream("s").sendEvents(snapshotOf(5)...).sendEvents(upserted(6, "a")).hang()
	})
	startWatch(t, client, ports.WatchOptions{}).requireSteps("synced 5 ", "upserted 6 a")
	require.EqualValues(t, 1, requests.Load(), "connections")
}

// A stream of another store is rejected with any content, and the watch does not adopt
// the id of that store.
func TestStreamOfAnotherStoreIsRejected(t *testing.T) {
	t.Parallel()
	handlers := []func(exchange){
		func(s exchange) { s.openStream("first").sendEvents(snapshotOf(5, "a")...).dropConnection() },
		func(s exchange) {
			s.openStream("second")
			if s.r.URL.Query().Get("from_revision") != "" {
				s.dropConnection()
			}
			s.sendEvents(snapshotOf(3, "b")...).hang()
		},
	}
	t.Run("without resync", func(t *testing.T) {
		t.Parallel()
		client, _ := scriptedClient(t, fastRetries(), handlers...)
		c := startWatch(t, client, ports.WatchOptions{})
		c.requireSteps("snapshot 5 a", "synced 5 ")
		requireOnly(t, runtime.ErrForeignRevision, c.requireEnd())
	})
	t.Run("with resync", func(t *testing.T) {
		t.Parallel()
		client, _ := scriptedClient(t, fastRetries(), handlers...)
		c := startWatch(t, client, ports.WatchOptions{Resync: true})
		c.requireSteps("snapshot 5 a", "synced 5 ", "resync 3 ", "snapshot 3 b", "deleted 3 a", "synced 3 ")
	})
}

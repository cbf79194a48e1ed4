package httpclient_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

func TestIdleWatchReconnects(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	network := &faultyNetwork{hang: true, byteLimits: []int{2000, 3000, 0, 700}}
	cfg := network.config()
	cfg.IdleTimeout, cfg.RequestTimeout = 300*time.Millisecond, 2*time.Second
	var r remote
	var reasons []error
	cfg.OnReconnect = func(err error, _ int64) {
		reasons = append(reasons, err)
		require.NoError(t, r.store.Upsert(t.Context(), running("late-"+strconv.Itoa(len(reasons)))))
	}
	r = overHTTP(t, cfg, nil)
	for n := range 10 {
		require.NoError(t, r.store.Upsert(t.Context(), running(strconv.Itoa(n))))
	}
	seen, changes := map[string]int{}, 0
	require.NoError(t, rangeWatch(t, r, ports.WatchOptions{FromRevision: 1}, func(event ports.RuntimeEvent) bool {
		if event.Type == ports.EventBookmark {
			return true
		}
		seen[event.GameID]++
		changes++
		require.Equal(t, int64(changes+1), event.Revision, "revision of change %d", changes)
		return event.GameID != "late-4"
	}))
	for game, times := range seen {
		require.Equal(t, 1, times, "events of %s, which was written once", game)
	}
	require.Len(t, seen, 14)
	all := errors.Join(reasons...) // a busy machine may add reasons
	require.ErrorContains(t, all, "the stream was idle for 300ms")
	require.ErrorContains(t, all, "the server did not open the stream in time")
}

// A server that never sends a complete response does not produce an error of the caller's
// context.
func TestWatchOfAHangingServerIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, respond := range map[string]http.HandlerFunc{
		"no response": func(http.ResponseWriter, *http.Request) {},
		"an error response that does not end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := fastRetries()
			cfg.RequestTimeout = 100 * time.Millisecond
			r := overHTTP(t, cfg, interceptFirst(func(w http.ResponseWriter, r *http.Request) {
				respond(w, r)
				<-r.Context().Done()
			}))
			err := rangeWatch(t, r, ports.WatchOptions{}, func(ports.RuntimeEvent) bool { return true })
			requireOnly(t, runtime.ErrUnavailable, err)
			require.ErrorContains(t, err, "the server did not open the stream in time")
			require.NotErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// HTTP/2 requests share one connection. Unless the client detects that it is dead and
// closes it, every retry uses it.
func TestDeadSharedConnectionIsReplaced(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for timeouts")
	}
	store := storeWith(t, strings.Split("abcdefghijklmnopqrstuvwxyz", "")...)
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(api.Handler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	network := &faultyNetwork{hang: true, byteLimits: []int{8000}}
	transport := httpclient.NewTransport()
	transport.DialContext, transport.TLSClientConfig = network.dial, server.Client().Transport.(*http.Transport).TLSClientConfig
	transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = 100*time.Millisecond, 2*time.Second
	defer transport.CloseIdleConnections()
	cfg := fastRetries()
	cfg.HTTPClient = &http.Client{Transport: transport}
	cfg.IdleTimeout, cfg.RequestTimeout = time.Hour, time.Hour
	reconnects := 0
	cfg.OnReconnect = func(error, int64) { reconnects++ }
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	games := 0
	require.NoError(t, rangeWatch(t, client, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		games++
		return event.Type != ports.EventSynced
	}))
	require.Equal(t, 27, games, "events of a snapshot of 26 games")
	require.Positive(t, reconnects, "reconnects")
}

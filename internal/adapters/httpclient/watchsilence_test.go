package httpclient_test

import (
	"context"
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

func TestWatchThatFallsSilentIsMadeAgain(t *testing.T) {
	t.Parallel()
	line := &network{silent: true, allow: []int{2000, 3000, 0, 700}}
	cfg := line.config()
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
	require.NoError(t, follow(t, r, ports.WatchOptions{FromRevision: 1}, func(event ports.RuntimeEvent) bool {
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
	require.ErrorContains(t, reasons[0], "the stream was silent for 300ms")
	require.ErrorContains(t, reasons[2], "the server did not begin the stream in time")
}

// A server that never answers, or never to the end, is no end of the caller's
// context.
func TestWatchThatIsNotAnsweredInTimeIsUnavailable(t *testing.T) {
	t.Parallel()
	for name, begin := range map[string]http.HandlerFunc{
		"silence": func(http.ResponseWriter, *http.Request) {},
		"a refusal that does not end": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusNotFound)
			_ = http.NewResponseController(w).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := patient()
			cfg.RequestTimeout = 100 * time.Millisecond
			r := overHTTP(t, cfg, spoil(func(w http.ResponseWriter, r *http.Request) {
				begin(w, r)
				<-r.Context().Done()
			}))
			err := follow(t, r, ports.WatchOptions{}, func(ports.RuntimeEvent) bool { return true })
			requireOnly(t, runtime.ErrUnavailable, err)
			require.ErrorContains(t, err, "the server did not begin the stream in time")
			require.NotErrorIs(t, err, context.Canceled)
			require.NotErrorIs(t, err, context.DeadlineExceeded)
		})
	}
}

// Requests of HTTP/2 share one connection: unless that is found dead and let go
// of, every new try is made on it again.
func TestSharedConnectionThatFallsSilentIsLetGo(t *testing.T) {
	t.Parallel()
	store := holding(t, strings.Split("abcdefghijklmnopqrstuvwxyz", "")...)
	api, err := httpserver.New(store, httpserver.Config{})
	require.NoError(t, err)
	server := httptest.NewUnstartedServer(api.Handler())
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()

	line := &network{silent: true, allow: []int{8000}}
	transport := httpclient.NewTransport()
	transport.DialContext, transport.TLSClientConfig = line.dial, server.Client().Transport.(*http.Transport).TLSClientConfig
	transport.HTTP2.SendPingTimeout, transport.HTTP2.PingTimeout = 100*time.Millisecond, 2*time.Second
	defer transport.CloseIdleConnections()
	cfg := patient()
	cfg.HTTPClient = &http.Client{Transport: transport}
	cfg.IdleTimeout, cfg.RequestTimeout = time.Hour, time.Hour
	reconnects := 0
	cfg.OnReconnect = func(error, int64) { reconnects++ }
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	games := 0
	require.NoError(t, follow(t, client, ports.WatchOptions{}, func(event ports.RuntimeEvent) bool {
		games++
		return event.Type != ports.EventSynced
	}))
	require.Equal(t, 27, games, "events of a snapshot of 26 games")
	require.Positive(t, reconnects, "reconnects")
}

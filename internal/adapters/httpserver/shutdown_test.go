package httpserver_test

import (
	"bufio"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// readStatus reads the status of a response, 0 for none.
func readStatus(conn net.Conn) int {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	return response.StatusCode
}

// A shutdown ends every stream with a reason, and does not wait for the clients.
func TestShutdownEndsStreamsWithAReason(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{DrainTimeout: time.Hour})
	var streams []*watchReader
	for _, headers := range bothFormats {
		streams = append(streams, s.watch("", headers), s.watch("?from_revision=1", headers))
		streams[len(streams)-2].expect("synced 1")
	}
	s.stop()
	for _, open := range streams {
		last := open.next()
		require.Equal(t, "error", last.Type, last.raw)
		require.True(t, *last.Final, last.raw)
		require.Equal(t, api.CodeUnavailable, last.Error.Code, last.raw)
		require.Equal(t, http.StatusServiceUnavailable, last.Error.Status, last.raw)
		require.Contains(t, last.Error.Detail, "shutting down")
		open.end()
	}
	require.NoError(t, s.wait())
	_, err := net.Dial("tcp", s.addr)
	require.Error(t, err, "the listener is closed")
}

// During a shutdown the server is healthy but not ready, and starts no stream.
func TestShutdownMakesUnready(t *testing.T) {
	t.Parallel()
	store := newScriptedStore()
	s := serve(t, store, httpserver.Config{})
	inner := httptest.NewServer(s.api.Handler()) // a listener that the shutdown does not close
	defer inner.Close()
	outside := &fixture{t: t, addr: inner.Listener.Addr().String()}
	require.Equal(t, 200, outside.send("GET", "/readyz", "", "").StatusCode)
	c := contractOf(t, outside)
	s.stop()
	require.NoError(t, s.wait())

	unready := outside.send("GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, unready.StatusCode, unready.body)
	require.JSONEq(t, `{"status":"unready","checks":[{"name":"serving","ok":false,"error":"server is shutting down"},{"name":"store","ok":true}]}`, unready.body)
	c.requireDocumented(t, "GET", "/readyz", unready)
	require.Equal(t, 200, outside.send("GET", "/healthz", "", "").StatusCode)
	rejected := outside.send("GET", "/v1/watch", "", "")
	require.Equal(t, http.StatusServiceUnavailable, rejected.StatusCode, rejected.body)
	require.Equal(t, "1", rejected.Header.Get("Retry-After"))
	c.requireDocumented(t, "GET", "/v1/watch", rejected)
	require.Nil(t, store.options.Load(), "the store is not watched")
}

// A request in progress gets its response during a shutdown.
func TestShutdownWaitsForOpenRequests(t *testing.T) {
	t.Parallel()
	store := newBlockingStore()
	s := serve(t, store, httpserver.Config{DrainTimeout: time.Hour})
	require.NoError(t, store.Upsert(t.Context(), recordOf("g")))
	status := s.startBlocked(store)
	s.stop()
	require.Eventually(t, func() bool { return isDialRefused(s.addr) }, testTimeout, tick, "the listener closes")
	close(store.open)
	require.Equal(t, 200, <-status)
	require.NoError(t, s.wait())
}

// A request that takes longer than Config.DrainTimeout is disconnected, and its work is
// canceled.
func TestShutdownDisconnectsAfterTheDrainTimeout(t *testing.T) {
	t.Parallel()
	store := newBlockingStore()
	s := serve(t, store, httpserver.Config{DrainTimeout: 50 * time.Millisecond, RequestTimeout: time.Hour})
	status := s.startBlocked(store)
	s.stop()
	require.NoError(t, s.wait(), "Serve returns although a request gets no response")
	require.Zero(t, <-status, "the connection is cut")
	require.Eventually(t, func() bool { return store.waiting.Load() == 0 }, testTimeout, tick, "the store's work for it ends")
}

// Idle connections do not delay a shutdown.
func TestShutdownClosesIdleConnections(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{DrainTimeout: time.Hour})
	conn, response := s.openUntilDone("GET", "/healthz", "", "")
	require.Equal(t, 200, response.StatusCode)
	s.stop()
	require.NoError(t, s.wait())
	require.Zero(t, readStatus(conn))
}

// brokenListener fails to accept.
type brokenListener struct{ net.Listener }

var errBroken = errors.New("no more descriptors")

func (brokenListener) Accept() (net.Conn, error) { return nil, errBroken }

func TestServeReturnsTheListenersError(t *testing.T) {
	t.Parallel()
	api, err := httpserver.New(memstore.New(), httpserver.Config{})
	require.NoError(t, err)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	err = api.Serve(t.Context(), brokenListener{listener})
	require.ErrorIs(t, err, errBroken)
	require.ErrorContains(t, err, listener.Addr().String())
	require.True(t, isDialRefused(listener.Addr().String()), "the listener is closed")
}

func isDialRefused(addr string) bool {
	conn, err := net.Dial("tcp", addr)
	if err == nil {
		conn.Close()
	}
	return err != nil
}

package httpserver_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/connlimit"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// get sends a request on an open connection and returns the status of the response.
func get(t *testing.T, conn net.Conn, path string) (status int, isClosed bool) {
	t.Helper()
	_, err := fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", path)
	require.NoError(t, err)
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	require.NoError(t, err)
	_, err = io.Copy(io.Discard, response.Body)
	require.NoError(t, err)
	require.NoError(t, response.Body.Close())
	if response.StatusCode == http.StatusServiceUnavailable {
		require.Equal(t, "1", response.Header.Get("Retry-After"))
		require.Equal(t, "application/problem+json", response.Header.Get("Content-Type"))
	}
	return response.StatusCode, response.Close
}

// dialStream returns a connection that is in use, by an open watch stream.
func dialStream(t *testing.T, s *servingFixture) net.Conn {
	t.Helper()
	conn := s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	response, err := http.ReadResponse(bufio.NewReader(conn), nil) //nolint:bodyclose // the stream stays open
	require.NoError(t, err)
	require.Equal(t, 200, response.StatusCode)
	return conn
}

// Connections that are not in use do not keep other clients out, whether they have sent a
// request or not. The oldest ones are closed.
func TestUnusedConnectionsMakeSpace(t *testing.T) {
	t.Parallel()
	const limit = 4
	s := serve(t, memstore.New(), httpserver.Config{MaxConnections: limit})
	first := s.dial("")
	for range limit * 3 {
		s.dial("GET /v1/runtimes HTTP/1.1\r\n")
		status, _ := get(t, s.dial(""), "/v1/runtimes")
		require.Equal(t, 200, status)
	}
	_, err := io.ReadAll(first)
	require.NoError(t, err, "the oldest connection is closed")

	for range limit - 1 {
		dialStream(t, s)
	}
	for range limit {
		require.Eventually(t, func() bool { // until the server has processed the end of the one before
			status, isClosed := get(t, s.dial(""), "/v1/runtimes")
			require.True(t, isClosed, "the last connections are not kept alive")
			return status == 200
		}, testTimeout, tick)
	}
}

// Connections beyond the limit get a response and are closed, probes are served, and the server
// accepts new connections once others have ended.
func TestConnectionsBeyondTheLimit(t *testing.T) {
	t.Parallel()
	const limit = 4
	s := serve(t, memstore.New(), httpserver.Config{MaxConnections: limit})
	var used []net.Conn
	for range limit {
		used = append(used, dialStream(t, s))
	}

	for path, expected := range map[string]int{"/v1/runtimes": 503, "/v1/watch": 503, "/healthz": 200, "/readyz": 200, "/metrics": 200} {
		status, isClosed := get(t, s.dial(""), path)
		require.Equal(t, expected, status, path)
		require.True(t, isClosed, path)
	}
	for _, conn := range used {
		require.NoError(t, conn.Close())
	}
	require.Eventually(t, func() bool {
		status, _ := get(t, s.dial(""), "/v1/runtimes")
		return status == 200
	}, testTimeout, tick)
}

// The connections that wait for their 503 are bounded as well.
func TestConnectionsFarBeyondTheLimitAreClosed(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{MaxConnections: 1})
	dialStream(t, s)
	for range connlimit.ExcessConnections {
		s.dial("")
	}
	_, err := io.ReadAll(s.dial(""))
	require.NoError(t, err, "the connection is closed without a response")
}

// Health checks of proxies are often HTTP/1.0 requests without a Host header.
func TestRequestsWithoutHost(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{})
	for _, path := range []string{"/readyz", "/healthz", "/v1/runtimes"} {
		require.Equal(t, 200, readStatus(s.dial("GET "+path+" HTTP/1.0\r\n\r\n")), path)
		require.Equal(t, 421, readStatus(s.dial("GET "+path+" HTTP/1.0\r\nHost: example.org\r\n\r\n")), path)
	}
	require.Equal(t, 400, readStatus(s.dial("GET /readyz HTTP/1.1\r\n\r\n")), "HTTP/1.1 requires the header")
}

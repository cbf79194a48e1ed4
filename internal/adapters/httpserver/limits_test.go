package httpserver_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/logtest"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// dial opens a connection and sends the text.
func (f *fixture) dial(text string) net.Conn {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	require.NoError(f.t, err)
	f.t.Cleanup(func() { conn.Close() })
	require.NoError(f.t, conn.SetDeadline(time.Now().Add(testTimeout)))
	_, err = io.WriteString(conn, text)
	require.NoError(f.t, err)
	return conn
}

// A connection whose headers do not arrive within Config.HeaderTimeout is closed.
func TestSlowHeadersCloseTheConnection(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{HeaderTimeout: time.Second})
	slow := map[string]net.Conn{}
	for _, beginning := range []string{"", "GET", "GET /healthz HTTP/1.1\r\n", "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "} {
		slow[beginning] = s.dial(beginning)
	}
	for beginning, conn := range slow {
		rest, err := io.ReadAll(conn)
		require.NoError(t, err, "after %q the connection must be closed", beginning)
		require.True(t, len(rest) == 0 || strings.HasPrefix(string(rest), "HTTP/1.1 400 "), "the response to half a request, %q, is %q", beginning, rest)
	}
	require.Equal(t, 200, s.send("GET", "/healthz", "", "").StatusCode)
}

// A body that does not arrive within Config.BodyTimeout is a 408, after which the
// connection is closed.
func TestSlowBodyIsATimeout(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{BodyTimeout: 100 * time.Millisecond})
	c := contractOf(t, s.fixture)
	for _, call := range []struct{ method, path string }{{"PUT", bodyPut}, {"POST", bodyPost}} {
		for _, framing := range []string{"Content-Length: 1000\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n3e8\r\n"} {
			conn := s.dial(fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%s%s", call.method, call.path, framing, runningRecord[:20]))
			got, err := readResponse(bufio.NewReader(conn))
			require.NoError(t, err)
			require.Equal(t, http.StatusRequestTimeout, got.StatusCode, got.body)
			require.Equal(t, api.CodeRequestTimeout, got.problem(t).Code)
			require.True(t, got.Close, "the connection must be closed")
			c.requireDocumented(t, call.method, call.path, got)
		}
	}
	revision, err := s.store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), revision, "half a body writes nothing")
}

// slowStore is a store whose Put takes some time.
type slowStore struct {
	httpserver.Store
	takes time.Duration
}

func (s *slowStore) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	select {
	case <-time.After(s.takes):
		return s.Store.Put(ctx, input)
	case <-ctx.Done():
		return runtime.VersionedRecord{}, ctx.Err()
	}
}

// The timeout of the body ends with the body: it does not bound the work that follows.
func TestBodyTimeoutEndsWithTheBody(t *testing.T) {
	t.Parallel()
	s := serve(t, &slowStore{memstore.New(), 1500 * time.Millisecond}, httpserver.Config{BodyTimeout: time.Second})
	got := s.send("PUT", bodyPut, "", runningRecord)
	require.Equal(t, 200, got.StatusCode, got.body)
}

// The write deadline of a stream that has ended does not apply to the next request on
// the connection.
func TestConnectionIsUsableAfterAStream(t *testing.T) {
	t.Parallel()
	store := newScriptedStore(
		watchStep{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: 2, Last: true}},
		watchStep{err: runtime.ErrCompacted},
	)
	s := serve(t, &slowStore{store, 1500 * time.Millisecond}, httpserver.Config{WriteTimeout: time.Second})
	conn := s.dial("GET /v1/watch HTTP/1.1\r\nHost: localhost\r\n\r\n")
	reader := bufio.NewReader(conn)
	first, err := readResponse(reader)
	require.NoError(t, err)
	require.Contains(t, first.body, api.CodeCompacted)
	_, err = fmt.Fprintf(conn, "PUT %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", bodyPut, len(runningRecord), runningRecord)
	require.NoError(t, err)
	put, err := readResponse(reader)
	require.NoError(t, err, "a response that takes longer than the stream's deadline")
	require.Equal(t, 200, put.StatusCode, put.body)
}

// A request to a store that does not respond ends after Config.RequestTimeout.
func TestRequestTimeout(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	s := serve(t, newBlockingStore(), httpserver.Config{RequestTimeout: 100 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	got := s.send("GET", "/v1/runtimes/g", "", "")
	require.Equal(t, http.StatusServiceUnavailable, got.StatusCode, got.body)
	require.Equal(t, api.CodeUnavailable, got.problem(t).Code)
	require.Equal(t, "1", got.Header.Get("Retry-After"))
	require.Contains(t, log.String(), "request failed", "a store that hangs is a fault of the server, which the log must have")
}

// The timeouts of ordinary requests do not apply to a stream.
func TestStreamsHaveNoTimeout(t *testing.T) {
	t.Parallel()
	brief := 200 * time.Millisecond
	s := serve(t, memstore.New(), httpserver.Config{RequestTimeout: brief, BodyTimeout: brief, WriteTimeout: 2 * brief, Heartbeat: brief / 2})
	open := s.watch("", "")
	open.expect("synced 1")
	for range 12 {
		require.True(t, open.element().isHeartbeat, "an idle stream carries heartbeats only")
	}
	require.NoError(t, s.store.Upsert(t.Context(), recordOf("g")))
	open.expect("upserted g 2")
}

func TestHeaderSize(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{})
	require.Equal(t, 200, s.send("GET", "/healthz", "X-Large: "+strings.Repeat("x", 60<<10)+"\r\n", "").StatusCode)
	for name, headers := range map[string]string{
		"one header": "X-Large: " + strings.Repeat("x", 80<<10) + "\r\n",
		"many":       strings.Repeat("X-Many: abcdefgh\r\n", 5000),
	} {
		got := s.send("GET", "/healthz", headers, "")
		require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, got.StatusCode, "%s: %s", name, got.body)
	}
	require.Equal(t, http.StatusRequestHeaderFieldsTooLarge, s.send("GET", "/v1/runtimes/"+strings.Repeat("x", 80<<10), "", "").StatusCode)
}

// The largest body that is accepted; one byte more is in the table of invalid requests.
func TestBodyOfOneMebibyte(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	got := f.send("PUT", bodyPut, "", runningRecord+strings.Repeat(" ", 1<<20-len(runningRecord)))
	require.Equal(t, 200, got.StatusCode, got.body)
	awaited := f.send("PUT", bodyPut, "Expect: 100-continue\r\n", runningRecord)
	require.Equal(t, 100, awaited.StatusCode, "a client that expects 100-continue gets it")
}

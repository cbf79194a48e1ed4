package httpserver_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/servertest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

// testTimeout bounds every wait of these tests, and is far longer than any of them needs.
const testTimeout = 30 * time.Second

// tick is the interval at which tests check a condition.
const tick = 5 * time.Millisecond

// fixture is one server with a new store.
type fixture struct {
	t     testing.TB
	store *memstore.Store
	api   *httpserver.Server
	addr  string
}

func start[C config](t testing.TB, cfg C) *fixture {
	t.Helper()
	store := memstore.New()
	f := startWithStore(t, store, cfg)
	f.store = store
	return f
}

func startWithStore[C config](t testing.TB, store httpserver.Store, cfg C) *fixture {
	t.Helper()
	api := newServer(t, store, cfg)
	server := httptest.NewServer(api.Handler())
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return &fixture{t: t, api: api, addr: server.Listener.Addr().String()}
}

// config is a server's configuration, with or without that of a cluster.
type config interface {
	httpserver.Config | servertest.Config
}

// newServer returns a server with a cluster service, as the daemon has it.
func newServer[C config](t testing.TB, store httpserver.Store, cfg C) *httpserver.Server {
	t.Helper()
	complete, isComplete := any(cfg).(servertest.Config)
	if !isComplete {
		complete.Config = any(cfg).(httpserver.Config)
	}
	server, closeIdle, err := servertest.New(store, complete)
	require.NoError(t, err)
	t.Cleanup(closeIdle)
	return server
}

// on returns the fixture for a subtest: a failure then ends the subtest instead of the
// test.
func (f *fixture) on(t testing.TB) *fixture {
	copied := *f
	copied.t = t
	return &copied
}

// rawResponse is a response with its complete body.
type rawResponse struct {
	*http.Response
	body string
}

// send sends a request exactly as it is written: no client cleans its path or checks
// its headers.
func (f *fixture) send(method, path, headers, body string) rawResponse {
	f.t.Helper()
	conn, response := f.open(method, path, headers, body)
	defer conn.Close()
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(f.t, err, "read the response to %s %s", method, path)
	return rawResponse{response, string(text)}
}

// openUntilDone is open for a connection that stays open until the test ends. The body
// is not read.
func (f *fixture) openUntilDone(method, path, headers, body string) (net.Conn, rawResponse) {
	f.t.Helper()
	conn, response := f.open(method, path, headers, body)
	f.t.Cleanup(func() {
		conn.Close()
		response.Body.Close()
	})
	return conn, rawResponse{Response: response}
}

// open is send without reading the body.
func (f *fixture) open(method, path, headers, body string) (net.Conn, *http.Response) {
	f.t.Helper()
	conn, err := net.Dial("tcp", f.addr)
	require.NoError(f.t, err)
	require.NoError(f.t, conn.SetDeadline(time.Now().Add(testTimeout)))
	var request strings.Builder
	fmt.Fprintf(&request, "%s %s HTTP/1.1\r\n", method, path)
	if !strings.Contains(headers, "Host:") {
		fmt.Fprintf(&request, "Host: %s\r\n", f.addr)
	}
	request.WriteString(headers)
	if !strings.Contains(headers, "Content-Length:") && !strings.Contains(headers, "Transfer-Encoding:") && (body != "" || method == "PUT" || method == "POST") {
		fmt.Fprintf(&request, "Content-Length: %d\r\n", len(body))
	}
	request.WriteString("\r\n")
	_, err = io.WriteString(conn, request.String()+body)
	require.NoError(f.t, err)
	if strings.Contains(headers, "X-Half-Close:") {
		require.NoError(f.t, conn.(*net.TCPConn).CloseWrite())
	}
	response, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
	require.NoError(f.t, err, "%s %s", method, path)
	return conn, response
}

// readResponse reads the next response of a connection.
func readResponse(reader *bufio.Reader) (rawResponse, error) {
	response, err := http.ReadResponse(reader, nil)
	if err != nil {
		return rawResponse{}, err
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	return rawResponse{response, string(text)}, err
}

func (a rawResponse) problem(t testing.TB) api.Problem {
	t.Helper()
	require.Equal(t, api.ProblemMediaType, a.Header.Get("Content-Type"), "media type of %d: %s", a.StatusCode, a.body)
	var p api.Problem
	require.NoError(t, json.Unmarshal([]byte(a.body), &p), a.body)
	require.Equal(t, a.StatusCode, p.Status, "status member against status line")
	require.Equal(t, api.ProblemTypePrefix+string(p.Code), p.Type)
	require.NotEmpty(t, p.Title)
	return p
}

func decodeAs[T any](t testing.TB, text string) T {
	t.Helper()
	value, err := tryDecode[T](text)
	require.NoError(t, err, text)
	return value
}

func tryDecode[T any](text string) (T, error) {
	var value T
	err := json.Unmarshal([]byte(text), &value)
	return value, err
}

const (
	runningRecord = `{"status":"running","region":"eu","node":"n1","current_container_id":"c1","current_image_ref":"game:1.2.3","generation":1,` +
		`"created_at":"2026-01-01T00:00:00Z","last_op_at":"2026-01-01T00:00:00Z","started_at":"2026-01-01T00:00:00Z"}`
	stopChange = `{"expected_from":"running","expected_container_id":"c1","to":"stopped","now":"2026-01-02T00:00:00Z","reason":"maintenance"}`
)

// date returns the time of the response.
func (a rawResponse) date(t testing.TB) time.Time {
	t.Helper()
	date, err := http.ParseTime(a.Header.Get("Date"))
	require.NoError(t, err)
	return date
}

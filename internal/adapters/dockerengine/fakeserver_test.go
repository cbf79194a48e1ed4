package dockerengine_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
)

// fakeServer implements a part of the engine's API on a socket. Its containers run no
// program, and a test can inject faults.
type fakeServer struct {
	host string
	// fault handles a request instead of the server if it returns true.
	fault atomic.Pointer[fault]
	ids   []string
	// timeout is the CallTimeout of an Engine on the server.
	timeout time.Duration
	done    chan struct{}
}

// fault handles a request, or returns false to leave it to the server.
type fault func(w http.ResponseWriter, r *http.Request) (handled bool)

// newFakeServer runs a fake server with that many running containers.
func newFakeServer(t *testing.T, containers int) *fakeServer {
	t.Helper()
	f := &fakeServer{timeout: waitTimeout, done: make(chan struct{})}
	for i := range containers {
		f.ids = append(f.ids, fmt.Sprintf("%064x", i+1))
	}
	f.host = serveSocket(t, f)
	t.Cleanup(func() { close(f.done) })
	return f
}

// serveSocket serves on a Unix socket with a short path, and returns its address.
func serveSocket(t *testing.T, handler http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "docker")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	path := filepath.Join(dir, "sock")
	listener, err := net.Listen("unix", path)
	require.NoError(t, err)
	server := &http.Server{Handler: handler}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(listener) }()
	t.Cleanup(func() { _ = server.Close(); <-done })
	return "unix://" + path
}

// open opens an Engine on the server. On a busy machine the server may not respond within a
// short timeout, so it retries.
func (f *fakeServer) open(t *testing.T) *dockerengine.Engine {
	t.Helper()
	var engine *dockerengine.Engine
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		var err error
		engine, err = dockerengine.Open(t.Context(), f.config())
		require.NoError(c, err)
	}, waitTimeout, 10*time.Millisecond)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func (f *fakeServer) config() dockerengine.Config {
	return dockerengine.Config{
		Host: f.host, Store: "s1", Region: "eu", Node: "n1",
		CallTimeout: f.timeout, PullIdleTimeout: f.timeout,
	}
}

// injectFault makes the fault handle all following requests.
func (f *fakeServer) injectFault(injected fault) { f.fault.Store(&injected) }

func (f *fakeServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if fault := f.fault.Load(); fault != nil && (*fault)(w, r) {
		return
	}
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1.41")
	switch {
	case path == "/_ping":
	case path == "/info":
		writeJSON(w, map[string]any{"SystemTime": time.Now()})
	case path == "/containers/json":
		writeJSON(w, f.list())
	case path == "/events":
		_ = http.NewResponseController(w).Flush()
		f.wait(r)
	case strings.HasSuffix(path, "/json") && f.has(strings.Split(path, "/")[2]):
		writeJSON(w, fakeContainer(strings.Split(path, "/")[2]))
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/containers/") && f.has(strings.Split(path, "/")[2]):
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		writeJSON(w, map[string]string{"message": "no such object"})
	}
}

// wait blocks the request until its client cancels it or the test ends.
func (f *fakeServer) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-f.done:
	}
}

func (f *fakeServer) has(id string) bool {
	return slices.Contains(f.ids, id)
}

func (f *fakeServer) list() []any {
	all := []any{}
	for _, id := range f.ids {
		all = append(all, map[string]any{"Id": id, "Names": []string{"/name-" + id}, "Image": "game:1", "Labels": fakeLabels(), "State": "running"})
	}
	return all
}

func fakeContainer(id string) map[string]any {
	return map[string]any{
		"Id": id, "Name": "/name-" + id, "State": map[string]any{"Status": "running", "Running": true},
		"Config": map[string]any{"Image": "game:1", "Labels": fakeLabels()}, "HostConfig": map[string]any{"NetworkMode": "bridge"},
	}
}

func fakeLabels() map[string]string {
	labels := map[string]string{}
	for key, value := range map[string]string{
		"store": "s1", "region": "eu", "node": "n1", "game-id": "g1", "image": "game:1", "generation": "1", "operation-id": "op", "name": "n", "port": "8080",
	} {
		labels["io.galaxy.rtmanager."+key] = value
	}
	return labels
}

func writeJSON(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }

// respond sends the same response to every request.
func respond(status int, kind, body string) fault {
	return func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Api-Version", "1.41")
		w.Header().Set("Content-Type", kind)
		if status != http.StatusOK {
			w.WriteHeader(status)
		}
		_, _ = w.Write([]byte(body))
		return true
	}
}

// shortTimeout is the timeout of calls to an engine that hangs. It is long enough for calls
// that do not hang.
const shortTimeout = time.Second

// hang sends no response until the client cancels the request.
func (f *fakeServer) hang(_ http.ResponseWriter, r *http.Request) bool {
	f.wait(r)
	return true
}

// cut closes the connection without a response.
func cut(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}

// truncate sends less than its Content-Length.
func truncate(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`[{"Id":`))
	return true
}

// onlyFor limits a fault to requests with the method and the path suffix.
func onlyFor(method, suffix string, inner fault) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) && inner(w, r)
	}
}

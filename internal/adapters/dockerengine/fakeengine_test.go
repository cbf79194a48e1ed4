package dockerengine_test

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
)

// fakeEngine speaks enough of the engine's API on a socket to run a few
// containers in name, and as badly as a test wants.
type fakeEngine struct {
	host string
	// fault answers in its place, where it says that it has.
	fault atomic.Pointer[fault]
	ids   []string
	// limit is the time that a call to it has.
	limit time.Duration
	done  chan struct{}
}

// fault answers a request, or leaves it to the fake.
type fault func(w http.ResponseWriter, r *http.Request) (answered bool)

// newFake serves a fake engine that has so many containers, all running.
func newFake(t *testing.T, containers int) *fakeEngine {
	t.Helper()
	f := &fakeEngine{limit: patience, done: make(chan struct{})}
	for i := range containers {
		f.ids = append(f.ids, fmt.Sprintf("%064x", i+1))
	}
	f.host = serveSocket(t, f)
	t.Cleanup(func() { close(f.done) })
	return f
}

// serveSocket serves on a socket of a short path, and returns its address.
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

// open opens an Engine on the fake, which it expects to answer soon.
func (f *fakeEngine) open(t *testing.T) *dockerengine.Engine {
	t.Helper()
	engine, err := dockerengine.Open(t.Context(), f.config())
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

func (f *fakeEngine) config() dockerengine.Config {
	return dockerengine.Config{
		Host: f.host, Store: "s1", Region: "eu", Node: "n1",
		CallTimeout: f.limit, PullSilence: f.limit,
	}
}

func (f *fakeEngine) spoil(with fault) { f.fault.Store(&with) }

func (f *fakeEngine) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if broken := f.fault.Load(); broken != nil && (*broken)(w, r) {
		return
	}
	w.Header().Set("Api-Version", "1.41")
	w.Header().Set("Content-Type", "application/json")
	path := strings.TrimPrefix(r.URL.Path, "/v1.41")
	switch {
	case path == "/_ping":
	case path == "/info":
		answer(w, map[string]any{"SystemTime": time.Now()})
	case path == "/containers/json":
		answer(w, f.list())
	case path == "/events":
		_ = http.NewResponseController(w).Flush()
		f.wait(r)
	case strings.HasSuffix(path, "/json") && f.has(strings.Split(path, "/")[2]):
		answer(w, fakeContainer(strings.Split(path, "/")[2]))
	case r.Method == http.MethodPost && strings.HasPrefix(path, "/containers/") && f.has(strings.Split(path, "/")[2]):
		w.WriteHeader(http.StatusNoContent)
	default:
		w.WriteHeader(http.StatusNotFound)
		answer(w, map[string]string{"message": "there is no such thing"})
	}
}

// wait holds the request until somebody gives up.
func (f *fakeEngine) wait(r *http.Request) {
	select {
	case <-r.Context().Done():
	case <-f.done:
	}
}

func (f *fakeEngine) has(id string) bool {
	for _, known := range f.ids {
		if known == id {
			return true
		}
	}
	return false
}

func (f *fakeEngine) list() []any {
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

func answer(w http.ResponseWriter, value any) { _ = json.NewEncoder(w).Encode(value) }

// says answers everything alike.
func says(status int, kind, body string) fault {
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

// impatience is the time that a call to an engine has that will hang. It is long
// enough for those that do not.
const impatience = time.Second

// hangs answers nothing until somebody gives up.
func (f *fakeEngine) hangs(_ http.ResponseWriter, r *http.Request) bool {
	f.wait(r)
	return true
}

// cuts closes the connection without an answer.
func cuts(w http.ResponseWriter, _ *http.Request) bool {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err == nil {
		_ = conn.Close()
	}
	return true
}

// truncates announces more than it says.
func truncates(w http.ResponseWriter, _ *http.Request) bool {
	w.Header().Set("Content-Length", "1000")
	_, _ = w.Write([]byte(`[{"Id":`))
	return true
}

// only limits a fault to requests of that method and end of the path.
func only(method, suffix string, broken fault) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		return r.Method == method && strings.HasSuffix(r.URL.Path, suffix) && broken(w, r)
	}
}

package dockerengine_test

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// faults returns the ways in which an engine can fail to respond, by name.
func (f *fakeServer) faults() map[string]fault {
	return map[string]fault{
		"hang":      f.hang,
		"cut":       cut,
		"truncate":  truncate,
		"not JSON":  respond(http.StatusOK, "application/json", "}{"),
		"HTML page": respond(http.StatusOK, "text/html", "<html>welcome</html>"),
		"empty":     respond(http.StatusOK, "application/json", ""),
		"null":      respond(http.StatusOK, "application/json", "null"),
		"object":    respond(http.StatusOK, "application/json", "{}"),
		"error 500": respond(http.StatusInternalServerError, "application/json", `{"message":"it is broken"}`),
		"error 400": respond(http.StatusBadRequest, "application/json", `{"message":"client is too new"}`),
		"error 502": respond(http.StatusBadGateway, "text/html", "<html>bad gateway</html>"),
		"error 503": respond(http.StatusServiceUnavailable, "text/plain", "later"),
		"error 404": respond(http.StatusNotFound, "application/json", `{"message":"page not found"}`),
	}
}

// methods returns a call of every method of an Engine on the container, by name.
func methods(id string) map[string]func(context.Context, ports.Engine) error {
	spec := container.Spec{Name: "x", Labels: container.Labels{Store: "s1", GameID: "g1", Region: "eu", Node: "n1", Image: "game:1", OperationID: "op"}}
	return map[string]func(context.Context, ports.Engine) error{
		"inspect": func(ctx context.Context, e ports.Engine) error { _, err := e.Inspect(ctx, id); return err },
		"list":    func(ctx context.Context, e ports.Engine) error { _, err := e.List(ctx, ""); return err },
		"logs":    func(ctx context.Context, e ports.Engine) error { _, err := e.Logs(ctx, id, 5); return err },
		"create":  func(ctx context.Context, e ports.Engine) error { _, err := e.Create(ctx, spec); return err },
		"start":   func(ctx context.Context, e ports.Engine) error { return e.Start(ctx, id) },
		"stop":    func(ctx context.Context, e ports.Engine) error { return e.Stop(ctx, id, time.Second) },
		"kill":    func(ctx context.Context, e ports.Engine) error { return e.Stop(ctx, id, 0) },
		"remove":  func(ctx context.Context, e ports.Engine) error { return e.Remove(ctx, id) },
		"foreign": func(ctx context.Context, e ports.Engine) error { return e.RemoveForeign(ctx, "g1", time.Second) },
		"image":   func(ctx context.Context, e ports.Engine) error { return e.EnsureImage(ctx, "game:1", nil) },
		"events": func(ctx context.Context, e ports.Engine) error {
			for event, err := range e.Events(ctx) {
				if err != nil {
					return err
				}
				panic("an event of a faulty engine: " + event.Type)
			}
			return nil
		},
	}
}

func TestBrokenEngineIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	for faultName, fault := range f.faults() {
		for callName, call := range methods(f.ids[0]) {
			t.Run(faultName+"/"+callName, func(t *testing.T) {
				t.Parallel()
				skipHangInShortMode(t, faultName)
				f := newFakeServer(t, 1)
				f.timeout = shortTimeout
				engine := f.open(t)
				f.injectFault(fault)
				err := call(t.Context(), engine)
				if faultName == "error 404" && callName == "image" {
					require.ErrorIs(t, err, container.ErrNoImage)
					return
				}
				requireUnavailable(t, err)
			})
		}
	}
}

// skipHangInShortMode skips a test that waits for shortTimeout.
func skipHangInShortMode(t *testing.T, faultName string) {
	t.Helper()
	if testing.Short() && faultName == "hang" {
		t.Skip("waits for a timeout")
	}
}

// requireUnavailable fails unless err is ErrEngineUnavailable and no other error.
func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	for _, other := range []error{container.ErrNoContainer, container.ErrNoImage, operation.ErrStartFailed, runtime.ErrInvalid, container.ErrContainerExists} {
		require.NotErrorIs(t, err, other)
	}
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the context of the caller has not ended")
}

// The engine works except for one kind of request.
func TestFailedCalls(t *testing.T) {
	t.Parallel()
	calls := []struct{ method, httpMethod, suffix string }{
		{"start", http.MethodPost, "/start"}, {"stop", http.MethodPost, "/stop"}, {"kill", http.MethodPost, "/kill"},
		{"kill", http.MethodPost, "/wait"}, {"remove", http.MethodDelete, ""}, {"logs", http.MethodGet, "/logs"},
	}
	for _, call := range calls {
		for _, faultName := range []string{"hang", "cut", "error 502", "error 500"} {
			if call.method == "start" && faultName == "error 500" {
				continue // the container runs already
			}
			t.Run(call.method+call.suffix+"/"+faultName, func(t *testing.T) {
				t.Parallel()
				skipHangInShortMode(t, faultName)
				f := newFakeServer(t, 1)
				f.timeout = shortTimeout
				engine := f.open(t)
				f.injectFault(onlyFor(call.httpMethod, call.suffix, func(w http.ResponseWriter, r *http.Request) bool {
					return f.faults()[faultName](w, r)
				}))
				requireUnavailable(t, methods(f.ids[0])[call.method](t.Context(), engine))
			})
		}
	}
}

func TestCanceledCalls(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	for name, call := range methods(f.ids[0]) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFakeServer(t, 1)
			engine := f.open(t)
			f.injectFault(f.hang)
			ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
			defer cancel()
			err := call(ctx, engine)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			if name != "events" {
				require.ErrorIs(t, err, container.ErrEngineUnavailable)
			}
		})
	}
}

func TestOpenWithoutEngine(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 0)
	faults := f.faults()
	for name, fault := range map[string]fault{
		"hang": faults["hang"], "cut": faults["cut"], "error 500": faults["error 500"], "error 502": faults["error 502"],
		"not a Docker Engine": func(w http.ResponseWriter, _ *http.Request) bool { _, err := w.Write([]byte("OK")); return err == nil },
	} {
		f.injectFault(fault)
		f.timeout = shortTimeout
		_, err := dockerengine.Open(t.Context(), f.config())
		require.ErrorIs(t, err, container.ErrEngineUnavailable, name)
		require.NotErrorIs(t, err, context.DeadlineExceeded, name)
	}
	missing := f.config()
	missing.Host += "-missing"
	_, err := dockerengine.Open(t.Context(), missing)
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	require.ErrorContains(t, err, missing.Host)
}

func TestOpenWithOldEngine(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 0)
	for version, isOld := range map[string]bool{"1.12": true, "1.39": true, "1.40": false, "1.41": false, "1.51": false, "1.99": false} {
		f.injectFault(func(w http.ResponseWriter, _ *http.Request) bool { w.Header().Set("Api-Version", version); return true })
		engine, err := dockerengine.Open(t.Context(), f.config())
		if !isOld {
			require.NoError(t, err, version)
			require.NoError(t, engine.Close())
			continue
		}
		require.ErrorContains(t, err, "supports API "+version)
		require.ErrorContains(t, err, "upgrade")
		require.NotErrorIs(t, err, container.ErrEngineUnavailable, "a retry cannot help")
	}
}

func TestInvalidConfigs(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*dockerengine.Config){
		"store":              func(c *dockerengine.Config) { c.Store = "" },
		"node":               func(c *dockerengine.Config) { c.Node = "" },
		"address":            func(c *dockerengine.Config) { c.Address = "localhost" },
		"state directory":    func(c *dockerengine.Config) { c.StateDir = "state" },
		"container port":     func(c *dockerengine.Config) { c.ContainerPort = 65536 },
		"user":               func(c *dockerengine.Config) { c.User = "root" },
		"negative":           func(c *dockerengine.Config) { c.PidsLimit = -1 },
		"may join":           func(c *dockerengine.Config) { c.Networks = []string{"container:x"} },
		"memory":             func(c *dockerengine.Config) { c.MemoryBytes = 1 << 20 },
		"network":            func(c *dockerengine.Config) { c.Network = "host" },
		"endpoint mode":      func(c *dockerengine.Config) { c.Endpoints = "other" },
		"TLS":                func(c *dockerengine.Config) { c.Host = "tcp://192.0.2.1:2375" },
		"cannot be used":     func(c *dockerengine.Config) { c.Host = "invalid" },
		"local socket":       func(c *dockerengine.Config) { c.Host = "http://127.0.0.1:2375" },
		"without mutual TLS": func(c *dockerengine.Config) { c.Host = "ssh://127.0.0.1" },
	} {
		cfg := dockerengine.Config{Host: "unix:///nowhere", Store: "s1", Node: "n1"}
		change(&cfg)
		_, err := dockerengine.Open(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, container.ErrEngineUnavailable, want)
	}
}

// A container that the engine cannot describe is unknown. A container that was removed
// since it was listed is omitted. List returns the others as usual.
func TestListWithUnknownContainers(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 9)
	f.timeout = shortTimeout
	engine := f.open(t)
	faulty := []fault{f.hang, cut, truncate, respond(200, "application/json", "{}"), respond(500, "application/json", `{"message":"broken"}`)}
	f.injectFault(func(w http.ResponseWriter, r *http.Request) bool {
		for i, fault := range faulty {
			if strings.HasSuffix(r.URL.Path, f.ids[i]+"/json") {
				return fault(w, r)
			}
		}
		return strings.HasSuffix(r.URL.Path, f.ids[8]+"/json") && respond(404, "application/json", `{"message":"removed"}`)(w, r)
	})
	listed, err := engine.List(t.Context(), "g1")
	require.NoError(t, err)
	require.Len(t, listed, 8)
	for i, c := range listed {
		require.Equal(t, f.ids[i], c.ID)
		require.Equal(t, "g1", c.Labels.GameID)
		require.Equal(t, "name-"+c.ID, c.Name)
		want := container.StateRunning
		if i < len(faulty) {
			want = container.StateUnknown
		}
		require.Equal(t, want, c.State, "container %d", i)
	}
}

// A malformed list is not treated as an empty one.
func TestMalformedLists(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`[{}]`, `[{"Id":"short"}]`, `[null]`} {
		f := newFakeServer(t, 1)
		engine := f.open(t)
		f.injectFault(onlyFor(http.MethodGet, "/containers/json", respond(200, "application/json", body)))
		_, err := engine.List(t.Context(), "")
		requireUnavailable(t, err)
	}
}

// A container is missing only if Inspect and the list agree.
func TestNotFoundNeedsTheList(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	engine := f.open(t)
	f.injectFault(onlyFor(http.MethodGet, f.ids[0]+"/json", respond(404, "application/json", `{"message":"No such container"}`)))
	for _, name := range []string{"inspect", "start", "stop", "remove", "logs"} {
		requireUnavailable(t, methods(f.ids[0])[name](t.Context(), engine))
	}
}

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

// faults are the ways in which an engine can fail to answer.
func (f *fakeEngine) faults() map[string]fault {
	return map[string]fault{
		"hangs":       f.hangs,
		"cuts":        cuts,
		"truncates":   truncates,
		"garbage":     says(http.StatusOK, "application/json", "}{"),
		"a page":      says(http.StatusOK, "text/html", "<html>welcome</html>"),
		"nothing":     says(http.StatusOK, "application/json", ""),
		"null":        says(http.StatusOK, "application/json", "null"),
		"an object":   says(http.StatusOK, "application/json", "{}"),
		"fails":       says(http.StatusInternalServerError, "application/json", `{"message":"it is broken"}`),
		"refuses":     says(http.StatusBadRequest, "application/json", `{"message":"client is too new"}`),
		"gateway":     says(http.StatusBadGateway, "text/html", "<html>bad gateway</html>"),
		"unavailable": says(http.StatusServiceUnavailable, "text/plain", "later"),
		"not found":   says(http.StatusNotFound, "application/json", `{"message":"page not found"}`),
	}
}

// calls are all calls to an Engine about that container.
func calls(id string) map[string]func(context.Context, ports.Engine) error {
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
		"image":   func(ctx context.Context, e ports.Engine) error { return e.EnsureImage(ctx, "game:1", nil) },
		"events": func(ctx context.Context, e ports.Engine) error {
			for event, err := range e.Events(ctx) {
				if err != nil {
					return err
				}
				panic("an event of a broken engine: " + event.Type)
			}
			return nil
		},
	}
}

func TestBrokenEngineIsUnavailable(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	for faultName, fault := range f.faults() {
		for callName, call := range calls(f.ids[0]) {
			t.Run(faultName+"/"+callName, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, 1)
				f.limit = impatience
				engine := f.open(t)
				f.spoil(fault)
				err := call(t.Context(), engine)
				if faultName == "not found" && callName == "image" {
					require.ErrorIs(t, err, container.ErrNoImage)
					return
				}
				requireUnavailable(t, err)
			})
		}
	}
}

// requireUnavailable checks that err says that and nothing more.
func requireUnavailable(t *testing.T, err error) {
	t.Helper()
	require.ErrorIs(t, err, container.ErrEngineUnavailable)
	for _, other := range []error{container.ErrNoContainer, container.ErrNoImage, operation.ErrStartFailed, runtime.ErrInvalid, container.ErrContainerExists} {
		require.NotErrorIs(t, err, other)
	}
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller's patience has not ended")
}

// An engine that works but for the act itself.
func TestActThatFails(t *testing.T) {
	t.Parallel()
	acts := []struct{ call, method, suffix string }{
		{"start", http.MethodPost, "/start"}, {"stop", http.MethodPost, "/stop"}, {"kill", http.MethodPost, "/kill"},
		{"kill", http.MethodPost, "/wait"}, {"remove", http.MethodDelete, ""}, {"logs", http.MethodGet, "/logs"},
	}
	for _, act := range acts {
		for _, faultName := range []string{"hangs", "cuts", "gateway", "fails"} {
			if act.call == "start" && faultName == "fails" {
				continue // the container runs, which is what was wanted
			}
			t.Run(act.call+act.suffix+"/"+faultName, func(t *testing.T) {
				t.Parallel()
				f := newFake(t, 1)
				f.limit = impatience
				engine := f.open(t)
				f.spoil(only(act.method, act.suffix, func(w http.ResponseWriter, r *http.Request) bool {
					return f.faults()[faultName](w, r)
				}))
				requireUnavailable(t, calls(f.ids[0])[act.call](t.Context(), engine))
			})
		}
	}
}

func TestCallerThatGivesUp(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	for name, call := range calls(f.ids[0]) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFake(t, 1)
			engine := f.open(t)
			f.spoil(f.hangs)
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

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	faults := f.faults()
	for name, broken := range map[string]fault{
		"hangs": faults["hangs"], "cuts": faults["cuts"], "fails": faults["fails"], "gateway": faults["gateway"],
		"no engine of Docker": func(w http.ResponseWriter, _ *http.Request) bool { _, err := w.Write([]byte("OK")); return err == nil },
	} {
		f.spoil(broken)
		f.limit = impatience
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

func TestOpenRefusesAnOldEngine(t *testing.T) {
	t.Parallel()
	f := newFake(t, 0)
	for version, refused := range map[string]bool{"1.12": true, "1.39": true, "1.40": false, "1.41": false, "1.51": false, "1.99": false} {
		f.spoil(func(w http.ResponseWriter, _ *http.Request) bool { w.Header().Set("Api-Version", version); return true })
		engine, err := dockerengine.Open(t.Context(), f.config())
		if !refused {
			require.NoError(t, err, version)
			require.NoError(t, engine.Close())
			continue
		}
		require.ErrorContains(t, err, "speaks API "+version)
		require.ErrorContains(t, err, "upgrade")
		require.NotErrorIs(t, err, container.ErrEngineUnavailable, "waiting does not help")
	}
}

func TestOpenRefusesConfigs(t *testing.T) {
	t.Parallel()
	for want, spoil := range map[string]func(*dockerengine.Config){
		"store":            func(c *dockerengine.Config) { c.Store = "" },
		"node":             func(c *dockerengine.Config) { c.Node = "" },
		"address":          func(c *dockerengine.Config) { c.Address = "localhost" },
		"state directory":  func(c *dockerengine.Config) { c.StateDir = "state" },
		"container port":   func(c *dockerengine.Config) { c.ContainerPort = 65536 },
		"user":             func(c *dockerengine.Config) { c.User = "root" },
		"negative":         func(c *dockerengine.Config) { c.PidsLimit = -1 },
		"may join":         func(c *dockerengine.Config) { c.Networks = []string{"container:x"} },
		"memory":           func(c *dockerengine.Config) { c.MemoryBytes = 1 << 20 },
		"network":          func(c *dockerengine.Config) { c.Network = "host" },
		"endpoint mode":    func(c *dockerengine.Config) { c.Endpoints = "other" },
		"TLS":              func(c *dockerengine.Config) { c.Host = "tcp://192.0.2.1:2375" },
		"cannot be used":   func(c *dockerengine.Config) { c.Host = "nonsense" },
		"local socket":     func(c *dockerengine.Config) { c.Host = "http://127.0.0.1:2375" },
		"without TLS in b": func(c *dockerengine.Config) { c.Host = "ssh://127.0.0.1" },
	} {
		cfg := dockerengine.Config{Host: "unix:///nowhere", Store: "s1", Node: "n1"}
		spoil(&cfg)
		_, err := dockerengine.Open(t.Context(), cfg)
		require.ErrorContains(t, err, want)
		require.NotErrorIs(t, err, container.ErrEngineUnavailable, want)
	}
}

// A container on which the engine fails is unknown; one that has gone since it
// was listed is left out; the others are told of as ever.
func TestListWithBadContainers(t *testing.T) {
	t.Parallel()
	f := newFake(t, 9)
	f.limit = impatience
	engine := f.open(t)
	bad := []fault{f.hangs, cuts, truncates, says(200, "application/json", "{}"), says(500, "application/json", `{"message":"broken"}`)}
	f.spoil(func(w http.ResponseWriter, r *http.Request) bool {
		for i, broken := range bad {
			if strings.HasSuffix(r.URL.Path, f.ids[i]+"/json") {
				return broken(w, r)
			}
		}
		return strings.HasSuffix(r.URL.Path, f.ids[8]+"/json") && says(404, "application/json", `{"message":"gone"}`)(w, r)
	})
	listed, err := engine.List(t.Context(), "g1")
	require.NoError(t, err)
	require.Len(t, listed, 8)
	for i, c := range listed {
		require.Equal(t, f.ids[i], c.ID)
		require.Equal(t, "g1", c.Labels.GameID)
		require.Equal(t, "name-"+c.ID, c.Name)
		want := container.StateRunning
		if i < len(bad) {
			want = container.StateUnknown
		}
		require.Equal(t, want, c.State, "container %d", i)
	}
}

// A list that makes no sense is not taken for an empty one.
func TestListOfNonsense(t *testing.T) {
	t.Parallel()
	for _, body := range []string{`[{}]`, `[{"Id":"short"}]`, `[null]`} {
		f := newFake(t, 1)
		engine := f.open(t)
		f.spoil(only(http.MethodGet, "/containers/json", says(200, "application/json", body)))
		_, err := engine.List(t.Context(), "")
		requireUnavailable(t, err)
	}
}

// Both of two questions have to say that a container is gone.
func TestNotFoundThatTheListDenies(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	engine := f.open(t)
	f.spoil(only(http.MethodGet, f.ids[0]+"/json", says(404, "application/json", `{"message":"No such container"}`)))
	for _, name := range []string{"inspect", "start", "stop", "remove", "logs"} {
		requireUnavailable(t, calls(f.ids[0])[name](t.Context(), engine))
	}
}

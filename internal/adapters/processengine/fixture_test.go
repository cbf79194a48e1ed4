package processengine_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/testkit/enginetest"
)

const (
	image       = "gameserver:1.0.0"
	waitTimeout = 30 * time.Second
	longGrace   = time.Hour
)

var owner = enginetest.Owner{Store: "store", Region: "eu-west", Node: "node-1"}

// fixture holds the directories of a node, with the game server as an image.
type fixture struct{ dir, images string }

func newFixture(t *testing.T) fixture {
	t.Helper()
	dir, err := os.MkdirTemp(testRoot, "fixture-")
	require.NoError(t, err)
	f := fixture{dir: filepath.Join(dir, "node"), images: filepath.Join(dir, "images")}
	f.putImage(t, image)
	return f
}

// putImage adds the game server as an image with the name.
func (f fixture) putImage(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(f.images, strings.ReplaceAll(name, ":", "/"))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.Link(gameFile(), path))
	return path
}

// putScript adds a shell script as an image with the name.
func (f fixture) putScript(t *testing.T, name, script string) string {
	t.Helper()
	path := filepath.Join(f.images, strings.ReplaceAll(name, ":", "/"))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".new", []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

func (f fixture) config(o enginetest.Owner) processengine.Config {
	return processengine.Config{Dir: f.dir, ImagesDir: f.images, Store: o.Store, Region: o.Region, Node: o.Node}
}

// containerDir returns the container's directory.
func (f fixture) containerDir(id string) string { return filepath.Join(f.dir, "containers", id) }

// stat returns the fields of the recorded /proc/PID/stat.
func (f fixture) stat(t *testing.T, id string) []string {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(f.containerDir(id), "process"))
	require.NoError(t, err)
	return strings.Fields(string(line))
}

// pids returns the first process of the game and its parent.
func (f fixture) pids(t *testing.T, id string) (game, parent int) {
	t.Helper()
	fields := f.stat(t, id)
	game, err := strconv.Atoi(fields[0])
	require.NoError(t, err)
	parent, err = strconv.Atoi(fields[3])
	require.NoError(t, err)
	return game, parent
}

// engine is an engine on a fixture.
type engine struct {
	*processengine.Engine
	fixture
}

func (f fixture) open(t *testing.T) engine {
	t.Helper()
	return f.openWith(t, f.config(owner))
}

// openWith opens an engine. When the test ends, it removes the containers of the engine
// unless the engine is closed.
func (f fixture) openWith(t *testing.T, config processengine.Config) engine {
	t.Helper()
	opened, err := processengine.Open(config)
	require.NoError(t, err)
	e := engine{opened, f}
	t.Cleanup(func() {
		e.removeAll(t)
		require.NoError(t, e.Close())
	})
	return e
}

func (e engine) removeAll(t *testing.T) {
	ctx := cleanupContext(t)
	all, err := e.List(ctx, "")
	if err != nil {
		return // the engine is closed
	}
	for _, c := range all {
		require.NoError(t, e.Remove(ctx, c.ID))
	}
}

func spec(game string, args ...string) container.Spec {
	return container.Spec{
		Name: "name-of-" + game,
		Labels: container.Labels{
			Store: owner.Store, GameID: game, Region: owner.Region, Node: owner.Node, Image: image, Generation: 1, OperationID: "op",
		},
		Args: args,
	}
}

// imageSpec returns the spec of a container of game "a" with the image.
func imageSpec(image string) container.Spec {
	s := spec("a")
	s.Labels.Image = image
	return s
}

func (e engine) create(t *testing.T, s container.Spec) container.Container {
	t.Helper()
	c, err := e.Create(t.Context(), s)
	require.NoError(t, err)
	return c
}

func (e engine) start(t *testing.T, s container.Spec) container.Container {
	t.Helper()
	c := e.create(t, s)
	require.NoError(t, e.Start(t.Context(), c.ID))
	return e.inspect(t, c.ID)
}

func (e engine) inspect(t *testing.T, id string) container.Container {
	t.Helper()
	c, err := e.Inspect(t.Context(), id)
	require.NoError(t, err)
	return c
}

func (e engine) waitExited(t *testing.T, id string) (c container.Container) {
	t.Helper()
	eventually(t, "the container exits", func() bool {
		c = e.inspect(t, id)
		return c.State == container.StateExited
	})
	return c
}

// waitReady waits until the game is healthy.
func waitReady(t *testing.T, c container.Container) {
	t.Helper()
	eventually(t, "the game is healthy", func() bool {
		response, err := http.Get(c.Endpoint + "/healthz")
		if err != nil {
			return false
		}
		return response.Body.Close() == nil && response.StatusCode == http.StatusOK
	})
}

// crash makes the game exit with the code.
func crash(t *testing.T, c container.Container, code int) {
	t.Helper()
	waitReady(t, c)
	response, err := http.Post(fmt.Sprintf("%s/crash?code=%d", c.Endpoint, code), "", http.NoBody)
	if err == nil {
		response.Body.Close()
	}
	require.Error(t, err, "a crash sends no response")
}

// isAlive reports whether the process exists and is not a zombie.
func isAlive(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(line), ") Z ")
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		require.NoError(t, err)
	}
}

// eventually waits until the condition holds, and fails after waitTimeout.
func eventually(t *testing.T, condition string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, waitTimeout, 2*time.Millisecond, condition)
}

// cleanupContext returns a context for cleanup, which starts when the context of the test has
// ended.
func cleanupContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), waitTimeout)
	t.Cleanup(cancel)
	return ctx
}

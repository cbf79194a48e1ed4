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
	image    = "gameserver:1.0.0"
	patience = 30 * time.Second
	hour     = time.Hour
)

var owner = enginetest.Owner{Store: "store", Region: "eu-west", Node: "node-1"}

// site is a node's directories, with the game server as an image.
type site struct{ dir, images string }

func newSite(t *testing.T) site {
	t.Helper()
	dir, err := os.MkdirTemp(root, "site-")
	require.NoError(t, err)
	s := site{dir: filepath.Join(dir, "node"), images: filepath.Join(dir, "images")}
	s.putImage(t, image)
	return s
}

// putImage makes the game server an image of this name.
func (s site) putImage(t *testing.T, name string) string {
	t.Helper()
	path := filepath.Join(s.images, strings.ReplaceAll(name, ":", "/"))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.Link(gameFile(), path))
	return path
}

// putScript makes an image of a shell script.
func (s site) putScript(t *testing.T, name, script string) string {
	t.Helper()
	path := filepath.Join(s.images, strings.ReplaceAll(name, ":", "/"))
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(t, os.WriteFile(path+".new", []byte("#!/bin/sh\n"+script+"\n"), 0o755))
	require.NoError(t, os.Rename(path+".new", path))
	return path
}

func (s site) config(o enginetest.Owner) processengine.Config {
	return processengine.Config{Dir: s.dir, ImagesDir: s.images, Store: o.Store, Region: o.Region, Node: o.Node}
}

// containerDir returns the container's directory.
func (s site) containerDir(id string) string { return filepath.Join(s.dir, "containers", id) }

// stat returns the fields of the recorded line of /proc/PID/stat.
func (s site) stat(t *testing.T, id string) []string {
	t.Helper()
	line, err := os.ReadFile(filepath.Join(s.containerDir(id), "process"))
	require.NoError(t, err)
	return strings.Fields(string(line))
}

// pids returns the game's first process and its parent.
func (s site) pids(t *testing.T, id string) (game, parent int) {
	t.Helper()
	fields := s.stat(t, id)
	game, err := strconv.Atoi(fields[0])
	require.NoError(t, err)
	parent, err = strconv.Atoi(fields[3])
	require.NoError(t, err)
	return game, parent
}

// engine is an engine of a site.
type engine struct {
	*processengine.Engine
	site
}

func (s site) open(t *testing.T) engine {
	t.Helper()
	return s.openWith(t, s.config(owner))
}

// openWith opens an engine whose containers are removed when the test ends,
// unless it is closed by then.
func (s site) openWith(t *testing.T, config processengine.Config) engine {
	t.Helper()
	opened, err := processengine.Open(config)
	require.NoError(t, err)
	e := engine{opened, s}
	t.Cleanup(func() {
		e.removeAll(t)
		require.NoError(t, e.Close())
	})
	return e
}

func (e engine) removeAll(t *testing.T) {
	ctx := contextOf(t)
	all, err := e.List(ctx, "")
	if err != nil {
		return // it is closed
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

func (e engine) exited(t *testing.T, id string) (c container.Container) {
	t.Helper()
	eventually(t, "the container exits", func() bool {
		c = e.inspect(t, id)
		return c.State == container.StateExited
	})
	return c
}

// ready waits until the game answers.
func ready(t *testing.T, c container.Container) {
	t.Helper()
	eventually(t, "the game answers", func() bool {
		answer, err := http.Get(c.Endpoint + "/healthz")
		if err != nil {
			return false
		}
		return answer.Body.Close() == nil && answer.StatusCode == http.StatusOK
	})
}

func crash(t *testing.T, c container.Container, code int) {
	t.Helper()
	ready(t, c)
	answer, err := http.Post(fmt.Sprintf("%s/crash?code=%d", c.Endpoint, code), "", http.NoBody)
	if err == nil {
		answer.Body.Close()
	}
	require.Error(t, err, "a crash does not answer")
}

// alive reports whether there is such a process that is more than a zombie.
func alive(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(line), ") Z ")
}

func kill(t *testing.T, pid int) {
	t.Helper()
	if err := syscall.Kill(pid, syscall.SIGKILL); !errors.Is(err, syscall.ESRCH) {
		require.NoError(t, err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 2*time.Millisecond, what)
}

// contextOf returns a context that outlives the test's own by the time that
// cleaning up may take.
func contextOf(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), patience)
	t.Cleanup(cancel)
	return ctx
}

package enginetest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/ports"
)

const (
	// waitTimeout is how long a test waits for a condition.
	waitTimeout  = 30 * time.Second
	pollInterval = 5 * time.Millisecond
	// longGrace is longer than any test runs.
	longGrace = time.Hour

	// killedExitCode is the exit code of a process that was killed by signal 9.
	killedExitCode = 128 + 9
)

// fixture is an engine of a fresh store.
type fixture struct {
	Harness
	owner  Owner
	engine ports.Engine
}

func newFixture(t *testing.T, h Harness) *fixture {
	t.Helper()
	f := &fixture{Harness: h, owner: Owner{Store: uuid.NewString(), Region: "eu-west", Node: "node-1"}}
	f.reopen(t)
	return f
}

// reopen replaces the engine by a new one of the same owner, as a restart of the daemon
// does.
func (f *fixture) reopen(t *testing.T) {
	t.Helper()
	engine := f.Open(t, f.owner)
	f.engine = engine
	t.Cleanup(func() { // runs before the cleanup of the harness closes the engine
		if f.engine == engine {
			f.removeAll(t)
		}
	})
}

// removeAll removes all containers of the owner.
func (f *fixture) removeAll(t *testing.T) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), waitTimeout)
	defer cancel()
	containers, err := f.engine.List(ctx, "")
	require.NoError(t, err, "list the remaining containers")
	for _, c := range containers {
		require.NoError(t, f.engine.Remove(ctx, c.ID), "remove a remaining container")
	}
}

// spec returns the spec of a container of the game, with a unique name.
func (f *fixture) spec(gameID string, args ...string) container.Spec {
	return container.Spec{
		Name: "enginetest-" + uuid.NewString(),
		Labels: container.Labels{
			Store: f.owner.Store, GameID: gameID, Region: f.owner.Region, Node: f.owner.Node,
			Image: f.Image, Generation: 3, OperationID: "op-1",
		},
		Args:          args,
		ContainerPort: 8080,
	}
}

func (f *fixture) create(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	c, err := f.engine.Create(t.Context(), spec)
	require.NoError(t, err, "create %s", spec.Name)
	return c
}

// run creates and starts a container, and returns it.
func (f *fixture) run(t *testing.T, args ...string) container.Container {
	t.Helper()
	return f.start(t, f.create(t, f.spec("game", args...)).ID)
}

func (f *fixture) start(t *testing.T, id string) container.Container {
	t.Helper()
	require.NoError(t, f.engine.Start(t.Context(), id), "start %s", id)
	return f.inspect(t, id)
}

func (f *fixture) stop(t *testing.T, id string, grace time.Duration) container.Container {
	t.Helper()
	require.NoError(t, f.engine.Stop(t.Context(), id, grace), "stop %s", id)
	return f.inspect(t, id)
}

func (f *fixture) inspect(t *testing.T, id string) container.Container {
	t.Helper()
	c, err := f.engine.Inspect(t.Context(), id)
	require.NoError(t, err, "inspect %s", id)
	return c
}

func (f *fixture) list(t *testing.T, gameID string) []container.Container {
	t.Helper()
	all, err := f.engine.List(t.Context(), gameID)
	require.NoError(t, err, "list %q", gameID)
	require.NotNil(t, all, "no container is an empty slice, not nil")
	return all
}

// crash makes a running game exit with the code.
func (f *fixture) crash(t *testing.T, c container.Container, code int) {
	t.Helper()
	if f.Crash != nil {
		f.Crash(t, c, code)
		return
	}
	clientOf(c).waitReady(t)
	clientOf(c).post(t, fmt.Sprintf("/crash?code=%d", code))
}

// waitExited waits until the container has exited, and returns it.
func (f *fixture) waitExited(t *testing.T, id string) (c container.Container) {
	t.Helper()
	eventually(t, "the container exits", func() bool {
		c = f.inspect(t, id)
		return c.State == container.StateExited
	})
	return c
}

// requireExit fails unless the container has exited with the code at a known time.
func requireExit(t *testing.T, c container.Container, code int) {
	t.Helper()
	require.Equal(t, container.StateExited, c.State)
	require.NotNil(t, c.ExitCode, "the exit code must be known")
	require.Equal(t, code, *c.ExitCode)
	require.NotNil(t, c.StartedAt)
	require.NotNil(t, c.ExitedAt)
	require.False(t, c.ExitedAt.Before(*c.StartedAt), "it exited at %v, before its start at %v", c.ExitedAt, c.StartedAt)
	require.Empty(t, c.Endpoint, "a container that does not run has no endpoint")
}

// eventually waits until the condition holds, and fails after waitTimeout.
func eventually(t *testing.T, condition string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, waitTimeout, pollInterval, condition)
}

func idsOf(containers []container.Container) []string {
	ids := make([]string, 0, len(containers))
	for _, c := range containers {
		ids = append(ids, c.ID)
	}
	return ids
}

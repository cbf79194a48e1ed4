package enginetest

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

const (
	// patience is how long something that must happen may take.
	patience = 30 * time.Second
	// longGrace is a grace that nothing here uses up.
	longGrace = time.Hour

	// killed is the exit code of death by signal 9.
	killed = 128 + 9
)

// spec says what container to create for the game; its name is nobody else's.
func (r *rig) spec(gameID string, args ...string) container.Spec {
	return container.Spec{
		Name: "enginetest-" + uuid.NewString(),
		Labels: container.Labels{
			Store: r.owner.Store, GameID: gameID, Region: r.owner.Region, Node: r.owner.Node,
			Image: r.Image, Generation: 3, OperationID: "op-1",
		},
		Args:          args,
		ContainerPort: 8080,
	}
}

func (r *rig) create(t *testing.T, spec container.Spec) container.Container {
	t.Helper()
	c, err := r.engine.Create(t.Context(), spec)
	require.NoError(t, err, "create %s", spec.Name)
	return c
}

// run creates and starts a game, and returns its container as it runs.
func (r *rig) run(t *testing.T, args ...string) container.Container {
	t.Helper()
	return r.start(t, r.create(t, r.spec("game", args...)).ID)
}

func (r *rig) start(t *testing.T, id string) container.Container {
	t.Helper()
	require.NoError(t, r.engine.Start(t.Context(), id), "start %s", id)
	return r.inspect(t, id)
}

func (r *rig) stop(t *testing.T, id string, grace time.Duration) container.Container {
	t.Helper()
	require.NoError(t, r.engine.Stop(t.Context(), id, grace), "stop %s", id)
	return r.inspect(t, id)
}

func (r *rig) inspect(t *testing.T, id string) container.Container {
	t.Helper()
	c, err := r.engine.Inspect(t.Context(), id)
	require.NoError(t, err, "inspect %s", id)
	return c
}

func (r *rig) list(t *testing.T, gameID string) []container.Container {
	t.Helper()
	all, err := r.engine.List(t.Context(), gameID)
	require.NoError(t, err, "list %q", gameID)
	require.NotNil(t, all, "none is an empty slice")
	return all
}

// crash makes a running game exit with the code.
func (r *rig) crash(t *testing.T, c container.Container, code int) {
	t.Helper()
	if r.Crash != nil {
		r.Crash(t, c, code)
		return
	}
	game(c).ready(t)
	game(c).post(t, fmt.Sprintf("/crash?code=%d", code))
}

// exited waits until the container has exited, and returns it.
func (r *rig) exited(t *testing.T, id string) (c container.Container) {
	t.Helper()
	eventually(t, "container exits", func() bool {
		c = r.inspect(t, id)
		return c.State == container.StateExited
	})
	return c
}

// requireExit fails unless the container has exited with the code and says when.
func requireExit(t *testing.T, c container.Container, code int) {
	t.Helper()
	require.Equal(t, container.StateExited, c.State)
	require.NotNil(t, c.ExitCode, "the exit code is known")
	require.Equal(t, code, *c.ExitCode)
	require.NotNil(t, c.StartedAt)
	require.NotNil(t, c.ExitedAt)
	require.False(t, c.ExitedAt.Before(*c.StartedAt), "it exited at %v, before it started at %v", c.ExitedAt, c.StartedAt)
	require.Empty(t, c.Endpoint, "one that does not run is not reached")
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			require.FailNow(t, "waited in vain: "+what)
		}
	}
}

func idsOf(containers []container.Container) []string {
	ids := make([]string, 0, len(containers))
	for _, c := range containers {
		ids = append(ids, c.ID)
	}
	return ids
}

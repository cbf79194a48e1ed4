package dockerengine_test

import (
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// What a person does at the engine itself is seen as it is.

func TestRenamedByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	spec := r.spec("g1")
	made := r.create(t, spec)
	_, err := r.api.ContainerRename(t.Context(), made.ID, client.ContainerRenameOptions{NewName: r.store + "-renamed"})
	require.NoError(t, err)

	want := made
	want.Name = r.store + "-renamed"
	require.Equal(t, want, r.inspect(t, made.ID))
	listed, err := r.List(t.Context(), "g1")
	require.NoError(t, err)
	require.Equal(t, []container.Container{want}, listed)
	require.Equal(t, want, r.create(t, spec), "the operation that made it finds it")
	require.NoError(t, r.Start(t.Context(), made.ID))
	require.NoError(t, r.Remove(t.Context(), made.ID))
}

func TestKilledByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	_, err := r.api.ContainerKill(t.Context(), running.ID, client.ContainerKillOptions{})
	require.NoError(t, err)
	require.Equal(t, 137, *r.awaitExit(t, running.ID).ExitCode)
}

func TestStoppedByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	ask(t, running.Endpoint)
	_, err := r.api.ContainerStop(t.Context(), running.ID, client.ContainerStopOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, *r.inspect(t, running.ID).ExitCode)
}

func TestRemovedByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	_, err := r.api.ContainerRemove(t.Context(), running.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	_, err = r.Inspect(t.Context(), running.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.ErrorIs(t, r.Start(t.Context(), running.ID), container.ErrNoContainer)
	require.ErrorIs(t, r.Stop(t.Context(), running.ID, time.Second), container.ErrNoContainer)
	_, err = r.Logs(t.Context(), running.ID, 1)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, r.Remove(t.Context(), running.ID))
}

func TestPausedByHand(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	ask(t, running.Endpoint)
	_, err := r.api.ContainerPause(t.Context(), running.ID, client.ContainerPauseOptions{})
	require.NoError(t, err)
	require.Equal(t, container.StateRunning, r.inspect(t, running.ID).State, "one that is paused runs")
	require.NoError(t, r.Start(t.Context(), running.ID), "it runs already")
	require.NoError(t, r.Stop(t.Context(), running.ID, 10*time.Second))
	require.Equal(t, 3, *r.inspect(t, running.ID).ExitCode)
}

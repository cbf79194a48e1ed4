package dockerengine_test

import (
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// These tests change containers at the engine, as an operator can.

func TestRenamedByAnOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	spec := f.spec("g1")
	created := f.create(t, spec)
	_, err := f.api.ContainerRename(t.Context(), created.ID, client.ContainerRenameOptions{NewName: f.store + "-renamed"})
	require.NoError(t, err)

	want := created
	want.Name = f.store + "-renamed"
	require.Equal(t, want, f.inspect(t, created.ID))
	listed, err := f.List(t.Context(), "g1")
	require.NoError(t, err)
	require.Equal(t, []container.Container{want}, listed)
	require.Equal(t, want, f.create(t, spec), "Create of the same operation finds it")
	require.NoError(t, f.Start(t.Context(), created.ID))
	require.NoError(t, f.Remove(t.Context(), created.ID))
}

func TestKilledByAnOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	_, err := f.api.ContainerKill(t.Context(), running.ID, client.ContainerKillOptions{})
	require.NoError(t, err)
	require.Equal(t, 137, *f.waitExit(t, running.ID).ExitCode)
}

func TestStoppedByAnOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	fetchReport(t, running.Endpoint)
	_, err := f.api.ContainerStop(t.Context(), running.ID, client.ContainerStopOptions{})
	require.NoError(t, err)
	require.Equal(t, 3, *f.inspect(t, running.ID).ExitCode)
}

func TestRemovedByAnOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	_, err := f.api.ContainerRemove(t.Context(), running.ID, client.ContainerRemoveOptions{Force: true})
	require.NoError(t, err)
	_, err = f.Inspect(t.Context(), running.ID)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.ErrorIs(t, f.Start(t.Context(), running.ID), container.ErrNoContainer)
	require.ErrorIs(t, f.Stop(t.Context(), running.ID, time.Second), container.ErrNoContainer)
	_, err = f.Logs(t.Context(), running.ID, 1)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, f.Remove(t.Context(), running.ID))
}

func TestPausedByAnOperator(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	fetchReport(t, running.Endpoint)
	_, err := f.api.ContainerPause(t.Context(), running.ID, client.ContainerPauseOptions{})
	require.NoError(t, err)
	require.Equal(t, container.StateRunning, f.inspect(t, running.ID).State, "a paused container counts as running")
	require.NoError(t, f.Start(t.Context(), running.ID), "Start of a running container")
	require.NoError(t, f.Stop(t.Context(), running.ID, 10*time.Second))
	require.Equal(t, 3, *f.inspect(t, running.ID).ExitCode)
}

package dockerengine_test

import (
	"maps"
	"testing"
	"time"

	mobycontainer "github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/dockerengine"
	"galaxy/rtmanager/internal/domain/container"
)

// copyContainer creates a container with the labels of another, modified by change.
func (f *fixture) copyContainer(t *testing.T, id, image string, isRunning bool, change func(map[string]string)) string {
	t.Helper()
	original, err := f.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err)
	labels := maps.Clone(original.Container.Config.Labels)
	change(labels)
	created, err := f.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &mobycontainer.Config{Image: image, Labels: labels, Env: []string{"PORT=8080"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := f.api.ContainerRemove(uncanceled(t), created.ID, client.ContainerRemoveOptions{Force: true})
		require.NoError(t, err)
	})
	if isRunning {
		_, err = f.api.ContainerStart(t.Context(), created.ID, client.ContainerStartOptions{})
		require.NoError(t, err)
	}
	return created.ID
}

// requireForeign fails unless the engine neither finds nor changes the container.
func (f *fixture) requireForeign(t *testing.T, id string) {
	t.Helper()
	before, err := f.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err)
	_, err = f.Inspect(t.Context(), id)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.ErrorIs(t, f.Start(t.Context(), id), container.ErrNoContainer)
	require.ErrorIs(t, f.Stop(t.Context(), id, 0), container.ErrNoContainer)
	require.ErrorIs(t, f.Stop(t.Context(), id, time.Second), container.ErrNoContainer)
	_, err = f.Logs(t.Context(), id, 1)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, f.Remove(t.Context(), id), "Remove of a container that is not owned")
	listed, err := f.List(t.Context(), "")
	require.NoError(t, err)
	for _, c := range listed {
		require.NotEqual(t, id, c.ID)
	}
	now, err := f.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err, "the container is unchanged")
	require.Equal(t, before.Container.State, now.Container.State, "the container is unchanged")
}

func TestForeignContainers(t *testing.T) {
	t.Parallel()
	const prefix = "io.galaxy.rtmanager."
	f := newFixture(t, nil)
	created := f.create(t, f.spec("g1"))
	changes := map[string]func(map[string]string){
		"no labels":          func(l map[string]string) { clear(l) },
		"invalid generation": func(l map[string]string) { l[prefix+"generation"] = "seven" },
		"no game":            func(l map[string]string) { l[prefix+"game-id"] = "" },
	}
	for _, key := range []string{"store", "region", "node"} {
		changes["other "+key] = func(l map[string]string) { l[prefix+key] += "x" }
	}
	for _, key := range []string{"store", "region", "node", "game-id", "image", "generation", "operation-id", "name", "port"} {
		changes["without "+key] = func(l map[string]string) { delete(l, prefix+key) }
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			f.requireForeign(t, f.copyContainer(t, created.ID, machine.image("1.0.0"), name == "no labels", change))
		})
	}
}

// A commit inherits the labels, and so does a container that is created from it.
func TestContainerOfACommitIsForeign(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	created := f.create(t, f.spec("g1"))
	ref := machine.image("committed")
	machine.removeAtEnd(ref)
	_, err := f.api.ContainerCommit(t.Context(), created.ID, client.ContainerCommitOptions{Reference: ref})
	require.NoError(t, err)
	f.requireForeign(t, f.copyContainer(t, created.ID, ref, true, func(map[string]string) {}))
}

func TestNamesAndPathsAreNotIDs(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	running := f.run(t, f.spec("g1"))
	for _, id := range []string{"", " ", running.Name, running.ID[:12], running.ID + " ", "../images/" + machine.image("1.0.0"), running.ID + "/../" + running.ID} {
		_, err := f.Inspect(t.Context(), id)
		require.ErrorIs(t, err, container.ErrNoContainer, "%q", id)
		require.ErrorIs(t, f.Stop(t.Context(), id, 0), container.ErrNoContainer, "%q", id)
		require.NoError(t, f.Remove(t.Context(), id), "%q", id)
	}
	require.Equal(t, running, f.inspect(t, running.ID))
}

func TestNameOfAForeignContainer(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	foreign := newFixture(t, func(c *dockerengine.Config) { c.Node = "n1" })
	spec := foreign.spec("g1")
	existing := foreign.create(t, spec)
	spec.Labels.Store = f.store
	_, err := f.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
	require.ErrorContains(t, err, existing.ID)
	require.Equal(t, existing, foreign.inspect(t, existing.ID))
}

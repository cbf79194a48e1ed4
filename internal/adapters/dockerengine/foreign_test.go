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

// copyByHand runs a container with the labels of another, but for what change does to them.
func (r *rig) copyByHand(t *testing.T, id, image string, running bool, change func(map[string]string)) string {
	t.Helper()
	original, err := r.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err)
	labels := maps.Clone(original.Container.Config.Labels)
	change(labels)
	made, err := r.api.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &mobycontainer.Config{Image: image, Labels: labels, Env: []string{"PORT=8080"}},
	})
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := r.api.ContainerRemove(contextOf(t), made.ID, client.ContainerRemoveOptions{Force: true})
		require.NoError(t, err)
	})
	if running {
		_, err = r.api.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{})
		require.NoError(t, err)
	}
	return made.ID
}

// requireForeign checks that the container is neither seen nor touched.
func (r *rig) requireForeign(t *testing.T, id string) {
	t.Helper()
	before, err := r.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err)
	_, err = r.Inspect(t.Context(), id)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.ErrorIs(t, r.Start(t.Context(), id), container.ErrNoContainer)
	require.ErrorIs(t, r.Stop(t.Context(), id, 0), container.ErrNoContainer)
	require.ErrorIs(t, r.Stop(t.Context(), id, time.Second), container.ErrNoContainer)
	_, err = r.Logs(t.Context(), id, 1)
	require.ErrorIs(t, err, container.ErrNoContainer)
	require.NoError(t, r.Remove(t.Context(), id), "to this engine it is not there")
	listed, err := r.List(t.Context(), "")
	require.NoError(t, err)
	for _, c := range listed {
		require.NotEqual(t, id, c.ID)
	}
	now, err := r.api.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	require.NoError(t, err, "it has been left alone")
	require.Equal(t, before.Container.State, now.Container.State, "it has been left alone")
}

func TestContainersOfOthersAreNotTouched(t *testing.T) {
	t.Parallel()
	const prefix = "io.galaxy.rtmanager."
	r := newRig(t, nil)
	made := r.create(t, r.spec("g1"))
	changes := map[string]func(map[string]string){
		"no labels":            func(l map[string]string) { clear(l) },
		"generation not known": func(l map[string]string) { l[prefix+"generation"] = "seven" },
		"no game":              func(l map[string]string) { l[prefix+"game-id"] = "" },
	}
	for _, key := range []string{"store", "region", "node"} {
		changes["another "+key] = func(l map[string]string) { l[prefix+key] += "x" }
	}
	for _, key := range []string{"store", "region", "node", "game-id", "image", "generation", "operation-id", "name", "port"} {
		changes["without "+key] = func(l map[string]string) { delete(l, prefix+key) }
	}
	for name, change := range changes {
		t.Run(name, func(t *testing.T) {
			r.requireForeign(t, r.copyByHand(t, made.ID, machine.image("1.0.0"), name == "no labels", change))
		})
	}
}

// A commit inherits the labels, and so does what is made of it.
func TestContainerOfACommitIsNotOurs(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	made := r.create(t, r.spec("g1"))
	ref := machine.image("committed")
	machine.remember(ref)
	_, err := r.api.ContainerCommit(t.Context(), made.ID, client.ContainerCommitOptions{Reference: ref})
	require.NoError(t, err)
	r.requireForeign(t, r.copyByHand(t, made.ID, ref, true, func(map[string]string) {}))
}

func TestNamesAndPathsAreNotIDs(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	running := r.run(t, r.spec("g1"))
	for _, id := range []string{"", " ", running.Name, running.ID[:12], running.ID + " ", "../images/" + machine.image("1.0.0"), running.ID + "/../" + running.ID} {
		_, err := r.Inspect(t.Context(), id)
		require.ErrorIs(t, err, container.ErrNoContainer, "%q", id)
		require.ErrorIs(t, r.Stop(t.Context(), id, 0), container.ErrNoContainer, "%q", id)
		require.NoError(t, r.Remove(t.Context(), id), "%q", id)
	}
	require.Equal(t, running, r.inspect(t, running.ID))
}

func TestNameOfAStranger(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	stranger := newRig(t, func(c *dockerengine.Config) { c.Node = "n1" })
	spec := stranger.spec("g1")
	theirs := stranger.create(t, spec)
	spec.Labels.Store = r.store
	_, err := r.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
	require.ErrorContains(t, err, theirs.ID)
	require.Equal(t, theirs, stranger.inspect(t, theirs.ID))
}

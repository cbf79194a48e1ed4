package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func createBehaviours(h Harness) []behaviour {
	behaviours := []behaviour{
		{"a created container is there, and is not started", createdOnly},
		{"a second create of the same name and operation returns the first one's container", createTwice},
		{"that container is returned as it is by now", createTwiceAndRunning},
		{"a name that another operation's container has is ErrContainerExists", createClash},
		{"a name is free again once its container is removed", createAfterRemoval},
		{"containers of one game live side by side", createTwins},
	}
	if h.Network != "" {
		behaviours = append(behaviours, behaviour{"a container joins the network that it is to", createOnNetwork})
	}
	return behaviours
}

func createdOnly(t *testing.T, r *rig) {
	spec := r.spec("game")
	c := r.create(t, spec)
	require.NotEmpty(t, c.ID)
	require.Equal(t, c, r.inspect(t, c.ID), "create returns what inspect does")
	require.Equal(t, spec.Name, c.Name)
	require.Equal(t, spec.Labels, c.Labels)
	require.Equal(t, r.Image, c.Image)
	require.Equal(t, container.StateCreated, c.State)
	require.Nil(t, c.ExitCode)
	require.Nil(t, c.StartedAt)
	require.Nil(t, c.ExitedAt)
	require.Empty(t, c.Endpoint)
}

func createTwice(t *testing.T, r *rig) {
	spec := r.spec("game")
	first := r.create(t, spec)
	require.Equal(t, first, r.create(t, spec))
	require.Equal(t, []string{first.ID}, idsOf(r.list(t, "")))
}

func createTwiceAndRunning(t *testing.T, r *rig) {
	spec := r.spec("game")
	first := r.start(t, r.create(t, spec).ID)
	again := r.create(t, spec)
	require.Equal(t, first.ID, again.ID)
	require.Equal(t, container.StateRunning, again.State)
}

func createClash(t *testing.T, r *rig) {
	spec := r.spec("game")
	first := r.create(t, spec)
	spec.Labels.OperationID = "op-2"
	_, err := r.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
	require.ErrorContains(t, err, spec.Name)
	require.Equal(t, []container.Container{first}, r.list(t, ""), "the first one stays as it is")
}

func createAfterRemoval(t *testing.T, r *rig) {
	spec := r.spec("game")
	first := r.create(t, spec)
	require.NoError(t, r.engine.Remove(t.Context(), first.ID))
	require.NotEqual(t, first.ID, r.create(t, spec).ID, "an id is never given again")
}

func createTwins(t *testing.T, r *rig) {
	one, two := r.run(t), r.run(t)
	require.NotEqual(t, one.ID, two.ID)
	require.ElementsMatch(t, []string{one.ID, two.ID}, idsOf(r.list(t, "game")))
	r.stop(t, one.ID, 0)
	require.Equal(t, container.StateRunning, r.inspect(t, two.ID).State, "its twin runs on")
}

func createOnNetwork(t *testing.T, r *rig) {
	spec := r.spec("game")
	spec.Network = r.Network
	require.Equal(t, r.Network, r.start(t, r.create(t, spec).ID).Network)
}

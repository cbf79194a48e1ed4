package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func createTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Create creates a container and does not start it", testCreate},
		{"a second Create of the same name and operation returns the first container", testCreateTwice},
		{"a second Create returns the current state of the container", testCreateTwiceRunning},
		{"Create returns ErrContainerExists if another operation's container has the name", testCreateNameInUse},
		{"a name is free after its container is removed", testCreateAfterRemove},
		{"one game can have several containers", testCreateTwoOfOneGame},
	}
	if h.Network != "" {
		tests = append(tests, contractTest{"a container joins the network of its spec", testCreateOnNetwork})
	}
	return tests
}

func testCreate(t *testing.T, f *fixture) {
	spec := f.spec("game")
	c := f.create(t, spec)
	require.NotEmpty(t, c.ID)
	require.Equal(t, c, f.inspect(t, c.ID), "Create returns the same as Inspect")
	require.Equal(t, spec.Name, c.Name)
	require.Equal(t, spec.Labels, c.Labels)
	require.Equal(t, f.Image, c.Image)
	require.Equal(t, container.StateCreated, c.State)
	require.Nil(t, c.ExitCode)
	require.Nil(t, c.StartedAt)
	require.Nil(t, c.ExitedAt)
	require.Empty(t, c.Endpoint)
}

func testCreateTwice(t *testing.T, f *fixture) {
	spec := f.spec("game")
	first := f.create(t, spec)
	require.Equal(t, first, f.create(t, spec))
	require.Equal(t, []string{first.ID}, idsOf(f.list(t, "")))
}

func testCreateTwiceRunning(t *testing.T, f *fixture) {
	spec := f.spec("game")
	first := f.start(t, f.create(t, spec).ID)
	second := f.create(t, spec)
	require.Equal(t, first.ID, second.ID)
	require.Equal(t, container.StateRunning, second.State)
}

func testCreateNameInUse(t *testing.T, f *fixture) {
	spec := f.spec("game")
	first := f.create(t, spec)
	spec.Labels.OperationID = "op-2"
	_, err := f.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
	require.ErrorContains(t, err, spec.Name)
	require.Equal(t, []container.Container{first}, f.list(t, ""), "the first container is unchanged")
}

func testCreateAfterRemove(t *testing.T, f *fixture) {
	spec := f.spec("game")
	first := f.create(t, spec)
	require.NoError(t, f.engine.Remove(t.Context(), first.ID))
	require.NotEqual(t, first.ID, f.create(t, spec).ID, "an id is never reused")
}

func testCreateTwoOfOneGame(t *testing.T, f *fixture) {
	one, two := f.run(t), f.run(t)
	require.NotEqual(t, one.ID, two.ID)
	require.ElementsMatch(t, []string{one.ID, two.ID}, idsOf(f.list(t, "game")))
	f.stop(t, one.ID, 0)
	require.Equal(t, container.StateRunning, f.inspect(t, two.ID).State, "the other container continues to run")
}

func testCreateOnNetwork(t *testing.T, f *fixture) {
	spec := f.spec("game")
	spec.Network = f.Network
	require.Equal(t, f.Network, f.start(t, f.create(t, spec).ID).Network)
}

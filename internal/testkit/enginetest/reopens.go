package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// reopenTests tests that an engine finds the containers of the engine before it.
func reopenTests() []contractTest {
	return []contractTest{
		{"a new engine finds all containers unchanged", testReopenFindsContainers},
		{"games continue to run, and a new engine can stop them", testReopenStops},
		{"a new engine yields the exit of a game that it did not start", testReopenEvents},
		{"a new engine finds names and operation ids", testReopenKeepsNames},
		{"a removed container stays removed", testReopenAfterRemove},
		{"a new engine starts an exited container", testReopenStarts},
	}
}

func testReopenFindsContainers(t *testing.T, f *fixture) {
	created, running := f.create(t, f.spec("a/b")), f.run(t)
	stopped := f.stop(t, f.run(t).ID, 0)
	crashed := f.run(t)
	f.crash(t, crashed, 42)
	crashed = f.waitExited(t, crashed.ID)

	f.reopen(t)

	require.ElementsMatch(t, []container.Container{created, running, stopped, crashed}, f.list(t, ""))
	require.Equal(t, crashed, f.inspect(t, crashed.ID))
	require.Equal(t, []container.Container{created}, f.list(t, "a/b"))
}

func testReopenStops(t *testing.T, f *fixture) {
	graceful, stubborn := f.runReady(t), f.runReady(t, "--ignore-sigterm")
	f.reopen(t)
	if f.RunsGames {
		clientOf(graceful).waitReady(t)
	}
	require.Equal(t, graceful, f.start(t, graceful.ID), "Start of a running container changes nothing")
	requireExit(t, f.stop(t, graceful.ID, longGrace), 0)
	requireExit(t, f.stop(t, stubborn.ID, 0), killedExitCode)
}

func testReopenEvents(t *testing.T, f *fixture) {
	one, two := f.run(t), f.run(t)
	f.reopen(t)
	events := openEvents(t, f.engine)
	f.Kill(t, one)
	events.waitFor(t, container.EventExited, one)
	requireExit(t, f.waitExited(t, one.ID), killedExitCode)
	f.crash(t, two, 6)
	events.waitFor(t, container.EventExited, two)
	requireExit(t, f.waitExited(t, two.ID), 6)
}

func testReopenKeepsNames(t *testing.T, f *fixture) {
	spec := f.spec("game")
	first := f.create(t, spec)
	f.reopen(t)
	require.Equal(t, first, f.create(t, spec))
	spec.Labels.OperationID = "op-2"
	_, err := f.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
}

func testReopenAfterRemove(t *testing.T, f *fixture) {
	spec := f.spec("game")
	c := f.start(t, f.create(t, spec).ID)
	f.remove(t, c.ID)
	f.reopen(t)
	f.requireMissing(t, c.ID)
	require.NotEqual(t, c.ID, f.create(t, spec).ID)
}

func testReopenStarts(t *testing.T, f *fixture) {
	c := f.run(t)
	f.stop(t, c.ID, 0)
	f.reopen(t)
	require.Equal(t, container.StateRunning, f.start(t, c.ID).State)
	if f.RunsGames {
		clientOf(f.inspect(t, c.ID)).waitReady(t)
	}
}

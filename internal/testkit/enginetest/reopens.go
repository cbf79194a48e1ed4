package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// What a daemon leaves behind, the next one finds.
func reopenBehaviours() []behaviour {
	return []behaviour{
		{"containers are found again as they were left", reopenFinds},
		{"games run on, and obey", reopenObeys},
		{"an exit is told to those who did not start the game", reopenEvents},
		{"names and operations are remembered", reopenNames},
		{"what was removed stays removed", reopenRemoved},
		{"an exited container starts again", reopenRestarts},
	}
}

func reopenFinds(t *testing.T, r *rig) {
	created, running := r.create(t, r.spec("a/b")), r.run(t)
	stopped := r.stop(t, r.run(t).ID, 0)
	crashed := r.run(t)
	r.crash(t, crashed, 42)
	crashed = r.exited(t, crashed.ID)

	r.reopen(t)

	require.ElementsMatch(t, []container.Container{created, running, stopped, crashed}, r.list(t, ""))
	require.Equal(t, crashed, r.inspect(t, crashed.ID))
	require.Equal(t, []container.Container{created}, r.list(t, "a/b"))
}

func reopenObeys(t *testing.T, r *rig) {
	asked, killedOne := r.runReady(t), r.runReady(t, "--ignore-sigterm")
	r.reopen(t)
	if r.Games {
		game(asked).ready(t)
	}
	require.Equal(t, asked, r.start(t, asked.ID), "it runs already")
	requireExit(t, r.stop(t, asked.ID, longGrace), 0)
	requireExit(t, r.stop(t, killedOne.ID, 0), killed)
}

func reopenEvents(t *testing.T, r *rig) {
	one, two := r.run(t), r.run(t)
	r.reopen(t)
	events := openEvents(t, r.engine)
	r.Kill(t, one)
	events.await(t, container.EventExited, one)
	requireExit(t, r.exited(t, one.ID), killed)
	r.crash(t, two, 6)
	events.await(t, container.EventExited, two)
	requireExit(t, r.exited(t, two.ID), 6)
}

func reopenNames(t *testing.T, r *rig) {
	spec := r.spec("game")
	first := r.create(t, spec)
	r.reopen(t)
	require.Equal(t, first, r.create(t, spec))
	spec.Labels.OperationID = "op-2"
	_, err := r.engine.Create(t.Context(), spec)
	require.ErrorIs(t, err, container.ErrContainerExists)
}

func reopenRemoved(t *testing.T, r *rig) {
	spec := r.spec("game")
	c := r.start(t, r.create(t, spec).ID)
	r.remove(t, c.ID)
	r.reopen(t)
	r.requireGone(t, c.ID)
	require.NotEqual(t, c.ID, r.create(t, spec).ID)
}

func reopenRestarts(t *testing.T, r *rig) {
	c := r.run(t)
	r.stop(t, c.ID, 0)
	r.reopen(t)
	require.Equal(t, container.StateRunning, r.start(t, c.ID).State)
	if r.Games {
		game(r.inspect(t, c.ID)).ready(t)
	}
}

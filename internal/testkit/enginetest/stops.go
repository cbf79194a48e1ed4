package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func stopBehaviours() []behaviour {
	return []behaviour{
		{"a game that is asked to exit does so, and is not killed", stopAsks},
		{"it is given the whole grace", stopWaits},
		{"one that does not exit within the grace is killed", stopKills},
		{"no grace kills at once", stopAtOnce},
		{"a stop that kills overtakes one that waits", stopOvertakes},
		{"one that has exited already is success and stays as it is", stopExited},
		{"one that was never started is success and stays created", stopCreated},
		{"no such container is ErrNoContainer", func(t *testing.T, r *rig) {
			for _, id := range noIDs {
				require.ErrorIs(t, r.engine.Stop(t.Context(), id, 0), container.ErrNoContainer, "stop %q", id)
			}
		}},
		{"a stop whose context ends is ErrEngineUnavailable and may be repeated", stopGivenUp},
	}
}

// runReady runs a game and waits until it can be asked to exit.
func (r *rig) runReady(t *testing.T, args ...string) container.Container {
	t.Helper()
	c := r.run(t, args...)
	if r.Games {
		game(c).ready(t)
	}
	return c
}

func stopAsks(t *testing.T, r *rig) {
	requireExit(t, r.stop(t, r.runReady(t).ID, longGrace), 0)
}

func stopWaits(t *testing.T, r *rig) {
	requireExit(t, r.stop(t, r.runReady(t, "--slow-exit=300ms").ID, longGrace), 0)
}

func stopKills(t *testing.T, r *rig) {
	requireExit(t, r.stop(t, r.runReady(t, "--ignore-sigterm").ID, 1100*time.Millisecond), killed)
}

func stopAtOnce(t *testing.T, r *rig) {
	requireExit(t, r.stop(t, r.runReady(t).ID, 0), killed)
}

func stopOvertakes(t *testing.T, r *rig) {
	c := r.runReady(t, "--ignore-sigterm")
	waiting := make(chan error, 1)
	go func() { waiting <- r.engine.Stop(t.Context(), c.ID, longGrace) }()
	requireExit(t, r.stop(t, c.ID, 0), killed)
	require.NoError(t, <-waiting, "the stop that waits ends with the game")
}

func stopExited(t *testing.T, r *rig) {
	c := r.run(t)
	r.crash(t, c, 9)
	before := r.exited(t, c.ID)
	require.Equal(t, before, r.stop(t, c.ID, longGrace))
	require.Equal(t, before, r.stop(t, c.ID, 0))
}

func stopCreated(t *testing.T, r *rig) {
	c := r.create(t, r.spec("game"))
	require.Equal(t, c, r.stop(t, c.ID, longGrace))
}

func stopGivenUp(t *testing.T, r *rig) {
	c := r.runReady(t, "--ignore-sigterm")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, r.engine.Stop(ctx, c.ID, longGrace), container.ErrEngineUnavailable)
	require.Equal(t, container.StateRunning, r.inspect(t, c.ID).State)
	requireExit(t, r.stop(t, c.ID, 0), killed)
}

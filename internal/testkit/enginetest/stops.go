package enginetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func stopTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Stop lets a game exit by itself", testStopExits},
		{"Stop waits for the whole grace", testStopWaits},
		{"Stop kills a game that does not exit within the grace", testStopKills},
		{"Stop without grace kills at once", testStopWithoutGrace},
		{"Stop without grace ends a concurrent Stop with grace", testStopSupersedes},
		{"Stop of an exited container returns nil and changes nothing", testStopExited},
		{"Stop of a container that was never started returns nil and changes nothing", testStopCreated},
		{"Stop of an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				require.ErrorIs(t, f.engine.Stop(t.Context(), id, 0), container.ErrNoContainer, "stop %q", id)
			}
		}},
		{"Stop returns ErrEngineUnavailable if its context ends, and may be repeated", testStopCanceled},
		{"Stop sends the signal of the spec", func(t *testing.T, f *fixture) {
			spec := f.spec("game", "--ignore-sigterm")
			spec.StopSignal = "SIGQUIT"
			c := f.start(t, f.create(t, spec).ID)
			if f.RunsGames {
				clientOf(c).waitReady(t)
			}
			stopped := f.stop(t, c.ID, longGrace)
			require.Equal(t, container.StateExited, stopped.State)
			require.False(t, stopped.StopKilled)
		}},
		{"StopKilled reports a stop that had to kill after its grace", testStopKilled},
	}
	if h.RunsGames && h.SignalsAll {
		tests = append(tests,
			contractTest{"Stop gives every process of the game the whole grace", testStopWaitsForAll},
			contractTest{"StopKilled is known to a new engine", testStopKilledReopen},
		)
	}
	return tests
}

func testStopKilled(t *testing.T, f *fixture) {
	stubborn := f.runReady(t, "--ignore-sigterm")
	require.True(t, f.stop(t, stubborn.ID, 1100*time.Millisecond).StopKilled)
	require.False(t, f.start(t, stubborn.ID).StopKilled, "it is reset by a start")
	require.False(t, f.stop(t, stubborn.ID, 0).StopKilled, "a stop without grace always kills")
	require.False(t, f.stop(t, f.runReady(t).ID, longGrace).StopKilled)
}

func testStopKilledReopen(t *testing.T, f *fixture) {
	stopped := f.stop(t, f.runReady(t, "--ignore-sigterm").ID, 100*time.Millisecond)
	f.reopen(t)
	require.True(t, f.inspect(t, stopped.ID).StopKilled)
	require.Equal(t, stopped, f.inspect(t, stopped.ID))
}

// The launcher exits on SIGTERM at once, and the server later.
func testStopWaitsForAll(t *testing.T, f *fixture) {
	for _, reopens := range []bool{false, true} {
		c := f.runReady(t, "--wrap", "--slow-exit=1s")
		if reopens {
			f.reopen(t)
		}
		require.False(t, f.stop(t, c.ID, longGrace).StopKilled)
		f.waitLogged(t, c.ID, "exits with code 0")
	}
}

// runReady runs a game and waits until it handles signals.
func (f *fixture) runReady(t *testing.T, args ...string) container.Container {
	t.Helper()
	c := f.run(t, args...)
	if f.RunsGames {
		clientOf(c).waitReady(t)
	}
	return c
}

func testStopExits(t *testing.T, f *fixture) {
	requireExit(t, f.stop(t, f.runReady(t).ID, longGrace), 0)
}

func testStopWaits(t *testing.T, f *fixture) {
	requireExit(t, f.stop(t, f.runReady(t, "--slow-exit=300ms").ID, longGrace), 0)
}

func testStopKills(t *testing.T, f *fixture) {
	requireExit(t, f.stop(t, f.runReady(t, "--ignore-sigterm").ID, 1100*time.Millisecond), killedExitCode)
}

func testStopWithoutGrace(t *testing.T, f *fixture) {
	requireExit(t, f.stop(t, f.runReady(t).ID, 0), killedExitCode)
}

func testStopSupersedes(t *testing.T, f *fixture) {
	c := f.runReady(t, "--ignore-sigterm")
	waitingStop := make(chan error, 1)
	go func() { waitingStop <- f.engine.Stop(t.Context(), c.ID, longGrace) }()
	requireExit(t, f.stop(t, c.ID, 0), killedExitCode)
	require.NoError(t, <-waitingStop, "the waiting Stop returns when the game has exited")
}

func testStopExited(t *testing.T, f *fixture) {
	c := f.run(t)
	f.crash(t, c, 9)
	before := f.waitExited(t, c.ID)
	require.Equal(t, before, f.stop(t, c.ID, longGrace))
	require.Equal(t, before, f.stop(t, c.ID, 0))
}

func testStopCreated(t *testing.T, f *fixture) {
	c := f.create(t, f.spec("game"))
	require.Equal(t, c, f.stop(t, c.ID, longGrace))
}

func testStopCanceled(t *testing.T, f *fixture) {
	c := f.runReady(t, "--ignore-sigterm")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	require.ErrorIs(t, f.engine.Stop(ctx, c.ID, longGrace), container.ErrEngineUnavailable)
	require.Equal(t, container.StateRunning, f.inspect(t, c.ID).State)
	requireExit(t, f.stop(t, c.ID, 0), killedExitCode)
}

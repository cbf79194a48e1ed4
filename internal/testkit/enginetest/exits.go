package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func exitTests(h Harness) []contractTest {
	tests := []contractTest{
		{"a game that exits by itself has its exit code", func(t *testing.T, f *fixture) {
			for _, code := range []int{0, 1, 42, 255} {
				c := f.run(t)
				f.crash(t, c, code)
				requireExit(t, f.waitExited(t, c.ID), code)
			}
		}},
		{"a game that is killed has the exit code 128 plus the signal", func(t *testing.T, f *fixture) {
			c := f.run(t)
			f.Kill(t, c)
			requireExit(t, f.waitExited(t, c.ID), killedExitCode)
		}},
		{"each run has its own exit code", func(t *testing.T, f *fixture) {
			c := f.run(t)
			f.crash(t, c, 5)
			requireExit(t, f.waitExited(t, c.ID), 5)
			second := f.start(t, c.ID)
			require.Equal(t, container.StateRunning, second.State)
			f.Kill(t, second)
			requireExit(t, f.waitExited(t, c.ID), killedExitCode)
		}},
	}
	if h.RunsGames {
		tests = append(tests, contractTest{"Start succeeds for a game that exits at once, and its exit code is known", func(t *testing.T, f *fixture) {
			c := f.create(t, f.spec("game", "--exit-at-start=7"))
			require.NoError(t, f.engine.Start(t.Context(), c.ID))
			requireExit(t, f.waitExited(t, c.ID), 7)
		}})
	}
	return tests
}

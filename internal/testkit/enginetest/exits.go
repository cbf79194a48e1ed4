package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func exitBehaviours() []behaviour {
	return []behaviour{
		{"a game that exits by itself leaves its exit code", func(t *testing.T, r *rig) {
			for _, code := range []int{0, 1, 42, 255} {
				c := r.run(t)
				r.crash(t, c, code)
				requireExit(t, r.exited(t, c.ID), code)
			}
		}},
		{"one that is killed leaves 128 and the signal", func(t *testing.T, r *rig) {
			c := r.run(t)
			r.Kill(t, c)
			requireExit(t, r.exited(t, c.ID), killed)
		}},
		{"a game that exits as soon as it starts has started and leaves its code", func(t *testing.T, r *rig) {
			if !r.Games {
				return // nothing runs that could exit at once
			}
			c := r.create(t, r.spec("game", "--exit-at-start=7"))
			require.NoError(t, r.engine.Start(t.Context(), c.ID))
			requireExit(t, r.exited(t, c.ID), 7)
		}},
		{"each run leaves its own exit code", func(t *testing.T, r *rig) {
			c := r.run(t)
			r.crash(t, c, 5)
			requireExit(t, r.exited(t, c.ID), 5)
			again := r.start(t, c.ID)
			require.Equal(t, container.StateRunning, again.State)
			r.Kill(t, again)
			requireExit(t, r.exited(t, c.ID), killed)
		}},
	}
}

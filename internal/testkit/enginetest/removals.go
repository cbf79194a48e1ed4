package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func removeBehaviours() []behaviour {
	return []behaviour{
		{"a removed container is gone for every method, whatever it did", removeAny},
		{"no such container is success", func(t *testing.T, r *rig) {
			for _, id := range noIDs {
				require.NoError(t, r.engine.Remove(t.Context(), id), "remove %q", id)
			}
		}},
		{"other containers stay", func(t *testing.T, r *rig) {
			gone, stays := r.run(t), r.run(t)
			r.remove(t, gone.ID)
			require.Equal(t, []container.Container{stays}, r.list(t, ""))
		}},
	}
}

func (r *rig) remove(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, r.engine.Remove(t.Context(), id), "remove %s", id)
}

func removeAny(t *testing.T, r *rig) {
	created := r.create(t, r.spec("game"))
	exited := r.stop(t, r.run(t).ID, 0)
	for _, c := range []container.Container{created, r.run(t), r.run(t, "--ignore-sigterm"), exited} {
		r.remove(t, c.ID)
		r.requireGone(t, c.ID)
		r.remove(t, c.ID) // once more is success
	}
	require.Empty(t, r.list(t, ""))
	require.Empty(t, r.list(t, "game"))
}

// requireGone fails unless every method but Remove says that there is none.
func (r *rig) requireGone(t *testing.T, id string) {
	t.Helper()
	_, err := r.engine.Inspect(t.Context(), id)
	require.ErrorIs(t, err, container.ErrNoContainer, "inspect")
	_, err = r.engine.Logs(t.Context(), id, 10)
	require.ErrorIs(t, err, container.ErrNoContainer, "logs")
	require.ErrorIs(t, r.engine.Start(t.Context(), id), container.ErrNoContainer, "start")
	require.ErrorIs(t, r.engine.Stop(t.Context(), id, 0), container.ErrNoContainer, "stop")
	require.NotContains(t, idsOf(r.list(t, "")), id)
}

func lostBehaviours(h Harness) []behaviour {
	if h.Lose == nil {
		return nil
	}
	return []behaviour{
		{"a container that somebody took away is gone, others are not", func(t *testing.T, r *rig) {
			exited, running, stays := r.stop(t, r.run(t).ID, 0), r.run(t), r.run(t)
			r.Lose(t, exited)
			r.Lose(t, running)
			for _, c := range []container.Container{exited, running} {
				eventually(t, "a lost container is not listed", func() bool {
					all := idsOf(r.list(t, ""))
					return len(all) <= 2 && all[0] != c.ID && all[len(all)-1] != c.ID
				})
				r.requireGone(t, c.ID)
				r.remove(t, c.ID)
			}
			require.Equal(t, []container.Container{stays}, r.list(t, ""))
		}},
	}
}

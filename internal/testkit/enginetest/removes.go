package enginetest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func removeTests() []contractTest {
	return []contractTest{
		{"no method finds a removed container, in any state", testRemove},
		{"Remove of an unknown container returns nil", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				require.NoError(t, f.engine.Remove(t.Context(), id), "remove %q", id)
			}
		}},
		{"Remove does not affect other containers", func(t *testing.T, f *fixture) {
			removed, other := f.run(t), f.run(t)
			f.remove(t, removed.ID)
			require.Equal(t, []container.Container{other}, f.list(t, ""))
		}},
	}
}

func (f *fixture) remove(t *testing.T, id string) {
	t.Helper()
	require.NoError(t, f.engine.Remove(t.Context(), id), "remove %s", id)
}

func testRemove(t *testing.T, f *fixture) {
	created := f.create(t, f.spec("game"))
	exited := f.stop(t, f.run(t).ID, 0)
	for _, c := range []container.Container{created, f.run(t), f.run(t, "--ignore-sigterm"), exited} {
		f.remove(t, c.ID)
		f.requireMissing(t, c.ID)
		f.remove(t, c.ID) // a second Remove returns nil
	}
	require.Empty(t, f.list(t, ""))
	require.Empty(t, f.list(t, "game"))
}

// requireMissing fails unless every method except Remove returns ErrNoContainer.
func (f *fixture) requireMissing(t *testing.T, id string) {
	t.Helper()
	_, err := f.engine.Inspect(t.Context(), id)
	require.ErrorIs(t, err, container.ErrNoContainer, "inspect")
	_, err = f.engine.Logs(t.Context(), id, 10)
	require.ErrorIs(t, err, container.ErrNoContainer, "logs")
	require.ErrorIs(t, f.engine.Start(t.Context(), id), container.ErrNoContainer, "start")
	require.ErrorIs(t, f.engine.Stop(t.Context(), id, 0), container.ErrNoContainer, "stop")
	require.NotContains(t, idsOf(f.list(t, "")), id)
}

func externalRemovalTests(h Harness) []contractTest {
	if h.RemoveExternally == nil {
		return nil
	}
	return []contractTest{
		{"no method finds a container that another program removed, and others are unaffected", func(t *testing.T, f *fixture) {
			exited, running, other := f.stop(t, f.run(t).ID, 0), f.run(t), f.run(t)
			f.RemoveExternally(t, exited)
			f.RemoveExternally(t, running)
			for _, c := range []container.Container{exited, running} {
				eventually(t, "the removed container is not listed", func() bool {
					all := idsOf(f.list(t, ""))
					return len(all) <= 2 && all[0] != c.ID && all[len(all)-1] != c.ID
				})
				f.requireMissing(t, c.ID)
				f.remove(t, c.ID)
			}
			require.Equal(t, []container.Container{other}, f.list(t, ""))
		}},
	}
}

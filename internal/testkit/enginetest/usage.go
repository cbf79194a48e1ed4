package enginetest

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func usageTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Usage of an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				_, err := f.engine.Usage(t.Context(), id)
				require.ErrorIs(t, err, container.ErrNoContainer, "usage of %q", id)
			}
		}},
		{"Usage of a container that does not run is zero", func(t *testing.T, f *fixture) {
			usage, err := f.engine.Usage(t.Context(), f.create(t, f.spec("game")).ID)
			require.NoError(t, err)
			require.Zero(t, usage)
		}},
	}
	if !h.RunsGames {
		return tests
	}
	return append(tests, contractTest{"Usage returns the memory and the CPU time of a running container", testUsage})
}

func testUsage(t *testing.T, f *fixture) {
	c := f.runReady(t)
	before, err := f.engine.Usage(t.Context(), c.ID)
	require.NoError(t, err)
	require.WithinDuration(t, time.Now(), before.At, time.Minute)
	require.Positive(t, before.MemoryBytes)
	require.Positive(t, before.Processes)
	require.GreaterOrEqual(t, before.CPUSeconds, 0.0)
	eventually(t, "the CPU time increases", func() bool {
		clientOf(c).log(t, "work", 1000)
		after, err := f.engine.Usage(t.Context(), c.ID)
		require.NoError(t, err)
		require.GreaterOrEqual(t, after.CPUSeconds, before.CPUSeconds)
		return after.CPUSeconds > before.CPUSeconds
	})
	f.stop(t, c.ID, 0)
	usage, err := f.engine.Usage(t.Context(), c.ID)
	require.NoError(t, err)
	require.Zero(t, usage)
}

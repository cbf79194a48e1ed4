package dockerengine_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestLogs(t *testing.T) {
	r := newRig(t, nil)
	spec := r.spec("g1")
	spec.Env["GAME_LINES"], spec.Env["GAME_EXIT"] = "3000", "0"
	made := r.create(t, spec)
	empty, err := r.Logs(t.Context(), made.ID, 10)
	require.NoError(t, err)
	require.Equal(t, []string{}, empty, "it was never started")

	require.NoError(t, r.Start(t.Context(), made.ID))
	r.awaitExit(t, made.ID)
	for _, most := range []int{-1, 0, 1, 5, 100_000} {
		found, err := r.Logs(t.Context(), made.ID, most)
		require.NoError(t, err)
		if most < 1000 {
			require.Len(t, found, max(most, 0))
		}
		size := 0
		seen := map[string]bool{}
		for _, line := range found {
			var n int
			_, err := fmt.Sscanf(line, "line %d", &n)
			require.NoError(t, err, "line %q is whole", line)
			require.True(t, strings.HasSuffix(line, strings.Repeat("x", n%100)))
			require.GreaterOrEqual(t, n, 3000-len(found)-100, "these are the last ones")
			// Lines of the output and of the errors come to the engine by different ways.
			require.Less(t, n, 3000)
			require.False(t, seen[line] && n%100 != 0, "no line twice")
			seen[line] = true
			size += len(line) + 1
		}
		require.LessOrEqual(t, size, 64<<10)
		if most > 1000 {
			require.Greater(t, size, 63<<10, "as many as fit")
		}
	}
}

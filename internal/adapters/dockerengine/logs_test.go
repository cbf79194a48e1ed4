package dockerengine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func (r *rig) logsOf(t *testing.T, lines string, most int) []string {
	t.Helper()
	spec := r.spec("g" + lines)
	spec.Env["GAME_LINES"], spec.Env["GAME_EXIT"] = lines, "0"
	made := r.create(t, spec)
	require.NoError(t, r.Start(t.Context(), made.ID))
	r.awaitExit(t, made.ID)
	found, err := r.Logs(t.Context(), made.ID, most)
	require.NoError(t, err)
	return found
}

func TestLogsOfOutputAndErrors(t *testing.T) {
	t.Parallel()
	r := newRig(t, nil)
	// They come to the engine by different ways, so their order is not known.
	require.ElementsMatch(t, []string{"to the errors", "line 0 ", "line 1 x"}, r.logsOf(t, "2", 100))
	require.Empty(t, r.logsOf(t, "1", -1))
}

func TestLogsAreTheLastWholeLines(t *testing.T) {
	t.Parallel()
	const written = 3000
	found := newRig(t, nil).logsOf(t, fmt.Sprint(written), 100_000)
	// It was written first, and may come as late as last.
	found = slices.DeleteFunc(found, func(line string) bool { return line == "to the errors" })
	size := 0
	for i, line := range slices.Backward(found) {
		n := written - len(found) + i
		require.Equal(t, fmt.Sprintf("line %d %s", n, strings.Repeat("x", n%100)), line)
		size += len(line) + 1
	}
	require.LessOrEqual(t, size, 64<<10)
	require.Greater(t, size, 63<<10, "as many as fit")
}

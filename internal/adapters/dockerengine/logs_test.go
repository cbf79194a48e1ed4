package dockerengine_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// runAndReadLogs runs a game that writes lines, and returns its log.
func (f *fixture) runAndReadLogs(t *testing.T, lines string, limit int) []string {
	t.Helper()
	spec := f.spec("g" + lines)
	spec.Env["GAME_LINES"], spec.Env["GAME_EXIT"] = lines, "0"
	created := f.create(t, spec)
	require.NoError(t, f.Start(t.Context(), created.ID))
	f.waitExit(t, created.ID)
	found, err := f.Logs(t.Context(), created.ID, limit)
	require.NoError(t, err)
	return found
}

func TestLogsOfOutputAndErrors(t *testing.T) {
	t.Parallel()
	f := newFixture(t, nil)
	// Each has its own pipe to the engine, so their order is undefined.
	require.ElementsMatch(t, []string{"standard error", "line 0 ", "line 1 x"}, f.runAndReadLogs(t, "2", 100))
	require.Empty(t, f.runAndReadLogs(t, "1", -1))
}

func TestLogsAreTheLastWholeLines(t *testing.T) {
	t.Parallel()
	const lineCount = 3000
	found := newFixture(t, nil).runAndReadLogs(t, fmt.Sprint(lineCount), 100_000)
	// It was written first, and the engine can receive it last.
	found = slices.DeleteFunc(found, func(line string) bool { return line == "standard error" })
	size := 0
	for i, line := range slices.Backward(found) {
		n := lineCount - len(found) + i
		require.Equal(t, fmt.Sprintf("line %d %s", n, strings.Repeat("x", n%100)), line)
		size += len(line) + 1
	}
	require.LessOrEqual(t, size, 64<<10)
	require.Greater(t, size, 63<<10, "as many lines as fit")
}

package enginetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// maxLogBytes is the most that Logs returns.
const maxLogBytes = 64 << 10

func logTests(h Harness) []contractTest {
	tests := []contractTest{
		{"Logs of an unknown container returns ErrNoContainer", func(t *testing.T, f *fixture) {
			for _, id := range unknownIDs {
				_, err := f.engine.Logs(t.Context(), id, 10)
				require.ErrorIs(t, err, container.ErrNoContainer, "logs of %q", id)
			}
		}},
		{"Logs of a container that was never started returns no lines", func(t *testing.T, f *fixture) {
			require.Empty(t, f.logs(t, f.create(t, f.spec("game")).ID, 10))
		}},
	}
	if !h.RunsGames {
		return tests
	}
	return append(tests,
		contractTest{"Logs returns the last lines, oldest first, and at most the requested number", testLogsLastLines},
		contractTest{"Logs returns at most 64 KiB, in whole lines", testLogsMaxBytes},
		contractTest{"Logs truncates a line that is longer", testLogsLongLine},
		contractTest{"Logs returns the lines of earlier runs, after an exit and after another start", testLogsAfterExit},
	)
}

func (f *fixture) logs(t *testing.T, id string, lines int) []string {
	t.Helper()
	got, err := f.engine.Logs(t.Context(), id, lines)
	require.NoError(t, err, "logs of %s", id)
	require.LessOrEqual(t, len(got), lines)
	require.LessOrEqual(t, len(strings.Join(got, "")), maxLogBytes)
	return got
}

// runLogging runs a game until its log has the line that the game writes once it listens. That line goes to
// standard error, so the engine may receive it after later lines of standard output.
func (f *fixture) runLogging(t *testing.T) container.Container {
	t.Helper()
	c := f.runReady(t)
	eventually(t, "the game has logged that it listens", func() bool {
		return strings.Contains(strings.Join(f.logs(t, c.ID, 100), "\n"), "listens on ")
	})
	return c
}

// waitLogged waits until the log ends with these lines.
func (f *fixture) waitLogged(t *testing.T, id string, want ...string) {
	t.Helper()
	eventually(t, "the log ends with "+strings.Join(want, " / "), func() bool {
		got := f.logs(t, id, len(want))
		return strings.Join(got, "\n") == strings.Join(want, "\n")
	})
}

func testLogsLastLines(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	for _, line := range []string{"one", "", "three 🎲"} {
		clientOf(c).log(t, line, 1)
	}
	f.waitLogged(t, c.ID, "one", "", "three 🎲")
	require.Equal(t, []string{"three 🎲"}, f.logs(t, c.ID, 1))
	require.Empty(t, f.logs(t, c.ID, 0))
	require.Contains(t, strings.Join(f.logs(t, c.ID, 1000), "\n"), "starts as process")
}

func testLogsMaxBytes(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	line := strings.Repeat("x", 99)
	clientOf(c).log(t, line, 2000)
	clientOf(c).log(t, "end", 1)
	f.waitLogged(t, c.ID, line, "end")
	got := f.logs(t, c.ID, 10000)
	require.Greater(t, len(got), 500, "as many lines as fit")
	for _, l := range got[:len(got)-1] {
		require.Equal(t, line, l)
	}
}

func testLogsLongLine(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).post(t, "/log?text=y&repeat=100000")
	eventually(t, "the long line is in the log", func() bool {
		got := f.logs(t, c.ID, 1)
		return len(got) == 1 && len(got[0]) > 1000 && strings.Trim(got[0], "y") == ""
	})
}

func testLogsAfterExit(t *testing.T, f *fixture) {
	c := f.runLogging(t)
	clientOf(c).log(t, "first run", 1)
	f.waitLogged(t, c.ID, "first run")
	f.stop(t, c.ID, 0)
	require.Equal(t, []string{"first run"}, f.logs(t, c.ID, 1))
	restarted := f.start(t, c.ID)
	clientOf(restarted).waitReady(t)
	require.Contains(t, f.logs(t, c.ID, 100), "first run")
}

package enginetest

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// maxLogBytes is what Logs returns at most.
const maxLogBytes = 64 << 10

func logBehaviours(h Harness) []behaviour {
	behaviours := []behaviour{
		{"no such container is ErrNoContainer", func(t *testing.T, r *rig) {
			for _, id := range noIDs {
				_, err := r.engine.Logs(t.Context(), id, 10)
				require.ErrorIs(t, err, container.ErrNoContainer, "logs of %q", id)
			}
		}},
		{"one that was never started has written nothing", func(t *testing.T, r *rig) {
			require.Empty(t, r.logs(t, r.create(t, r.spec("game")).ID, 10))
		}},
	}
	if !h.Games {
		return behaviours
	}
	return append(behaviours,
		behaviour{"the last lines come, oldest first, and no more than asked for", logsLast},
		behaviour{"not more than 64 KiB come, in whole lines", logsBounded},
		behaviour{"one line that is longer comes shortened", logsLongLine},
		behaviour{"what a game wrote is there when it has exited, and when it has started again", logsStay},
	)
}

func (r *rig) logs(t *testing.T, id string, lines int) []string {
	t.Helper()
	got, err := r.engine.Logs(t.Context(), id, lines)
	require.NoError(t, err, "logs of %s", id)
	require.LessOrEqual(t, len(got), lines)
	require.LessOrEqual(t, len(strings.Join(got, "")), maxLogBytes)
	return got
}

// logged waits until the last lines are these.
func (r *rig) logged(t *testing.T, id string, want ...string) {
	t.Helper()
	eventually(t, "the log ends with "+strings.Join(want, " / "), func() bool {
		got := r.logs(t, id, len(want))
		return strings.Join(got, "\n") == strings.Join(want, "\n")
	})
}

func logsLast(t *testing.T, r *rig) {
	c := r.runReady(t)
	for _, line := range []string{"one", "", "three 🎲"} {
		game(c).say(t, line, 1)
	}
	r.logged(t, c.ID, "one", "", "three 🎲")
	require.Equal(t, []string{"three 🎲"}, r.logs(t, c.ID, 1))
	require.Empty(t, r.logs(t, c.ID, 0))
	require.Contains(t, strings.Join(r.logs(t, c.ID, 1000), "\n"), "starts as process")
}

func logsBounded(t *testing.T, r *rig) {
	c := r.runReady(t)
	line := strings.Repeat("x", 99)
	game(c).say(t, line, 2000)
	game(c).say(t, "end", 1)
	r.logged(t, c.ID, line, "end")
	got := r.logs(t, c.ID, 10000)
	require.Greater(t, len(got), 500, "as much comes as may")
	for _, l := range got[:len(got)-1] {
		require.Equal(t, line, l)
	}
}

func logsLongLine(t *testing.T, r *rig) {
	c := r.runReady(t)
	game(c).post(t, "/log?text=y&repeat=100000")
	eventually(t, "the long line comes", func() bool {
		got := r.logs(t, c.ID, 1)
		return len(got) == 1 && len(got[0]) > 1000 && strings.Trim(got[0], "y") == ""
	})
}

func logsStay(t *testing.T, r *rig) {
	c := r.runReady(t)
	game(c).say(t, "first run", 1)
	r.logged(t, c.ID, "first run")
	r.stop(t, c.ID, 0)
	require.Equal(t, []string{"first run"}, r.logs(t, c.ID, 1))
	again := r.start(t, c.ID)
	game(again).ready(t)
	require.Contains(t, r.logs(t, c.ID, 100), "first run")
}

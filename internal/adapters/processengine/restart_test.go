package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

func TestGamesOutliveAKilledDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ids := s.runVictim(t, "start", 3)

	// While no daemon runs, one game crashes and one is killed.
	e := s.open(t)
	crashing := e.inspect(t, ids[1])
	require.NoError(t, e.Close())
	crash(t, crashing, 42)
	game, _ := s.pids(t, ids[2])
	kill(t, game)
	eventually(t, "both exits are written down", func() bool {
		_, crashed := os.Stat(filepath.Join(s.containerDir(ids[1]), "exit"))
		_, killed := os.Stat(filepath.Join(s.containerDir(ids[2]), "exit"))
		return crashed == nil && killed == nil
	})

	e = s.open(t)
	runs := e.inspect(t, ids[0])
	require.Equal(t, container.StateRunning, runs.State)
	require.NotNil(t, runs.StartedAt)
	ready(t, runs)
	for id, code := range map[string]int{ids[1]: 42, ids[2]: 137} {
		c := e.exited(t, id)
		require.NotNil(t, c.ExitCode)
		require.Equal(t, code, *c.ExitCode)
		require.NotNil(t, c.ExitedAt)
	}
	require.NoError(t, e.Stop(t.Context(), runs.ID, hour))
	require.Equal(t, 0, *e.inspect(t, runs.ID).ExitCode)
}

// At whatever moment a daemon is killed, each process belongs to a container that
// the next one lists, and none is listed that is half made.
func TestADaemonMayBeKilledAtAnyMoment(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for lines := 1; lines < 60; lines += 7 {
		s.runVictim(t, "live", lines)

		e := s.open(t)
		listed, err := e.List(t.Context(), "")
		require.NoError(t, err)
		known, names := map[string]container.State{}, map[string]bool{}
		for _, c := range listed {
			require.NotEqual(t, container.StateUnknown, c.State)
			require.False(t, names[c.Name], "name %s is two containers'", c.Name)
			known[c.ID], names[c.Name] = c.State, true
		}
		for _, id := range runningContainers(s) {
			require.Equal(t, container.StateRunning, known[id], "a process of %s runs", id)
		}
		e.removeAll(t)
		entries, err := os.ReadDir(filepath.Join(s.dir, "containers"))
		require.NoError(t, err)
		require.Empty(t, entries, "nothing is left of what was half made or half removed")
		require.NoError(t, e.Close())
	}
}

// runningContainers returns the containers of the site that processes belong to.
func runningContainers(s site) (ids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		line, _ := os.ReadFile(name)
		if _, rest, found := strings.Cut(string(line), s.dir+"/containers/"); found && len(rest) >= 32 {
			ids = append(ids, rest[:32])
		}
	}
	return ids
}

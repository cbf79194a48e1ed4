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
	f := newFixture(t)
	ids := f.killDaemon(t, taskStartGames, 3)

	// While no daemon runs, one game crashes and one is killed.
	e := f.open(t)
	crashing := e.inspect(t, ids[1])
	require.NoError(t, e.Close())
	crash(t, crashing, 42)
	game, _ := f.pids(t, ids[2])
	kill(t, game)
	eventually(t, "both exit codes are recorded", func() bool {
		_, crashed := os.Stat(filepath.Join(f.containerDir(ids[1]), "exit"))
		_, killed := os.Stat(filepath.Join(f.containerDir(ids[2]), "exit"))
		return crashed == nil && killed == nil
	})

	e = f.open(t)
	running := e.inspect(t, ids[0])
	require.Equal(t, container.StateRunning, running.State)
	require.NotNil(t, running.StartedAt)
	waitReady(t, running)
	for id, code := range map[string]int{ids[1]: 42, ids[2]: 137} {
		c := e.waitExited(t, id)
		require.NotNil(t, c.ExitCode)
		require.Equal(t, code, *c.ExitCode)
		require.NotNil(t, c.ExitedAt)
	}
	require.NoError(t, e.Stop(t.Context(), running.ID, longGrace))
	require.Equal(t, 0, *e.inspect(t, running.ID).ExitCode)
}

// The daemon is killed at many times. Then each process belongs to a container that the next
// engine lists, and the next engine lists no incomplete container.
func TestADaemonCanBeKilledAtAnyTime(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts and kills nine processes")
	}
	f := newFixture(t)
	for lines := 1; lines < 60; lines += 7 {
		f.killDaemon(t, taskRunLifecycles, lines)

		e := f.open(t)
		listed, err := e.List(t.Context(), "")
		require.NoError(t, err)
		states, names := map[string]container.State{}, map[string]bool{}
		for _, c := range listed {
			require.NotEqual(t, container.StateUnknown, c.State)
			require.False(t, names[c.Name], "two containers have the name %s", c.Name)
			states[c.ID], names[c.Name] = c.State, true
		}
		for _, id := range runningContainers(f) {
			require.Equal(t, container.StateRunning, states[id], "a process of container %s runs", id)
		}
		e.removeAll(t)
		entries, err := os.ReadDir(filepath.Join(f.dir, "containers"))
		require.NoError(t, err)
		require.Empty(t, entries, "no incomplete container remains")
		require.NoError(t, e.Close())
	}
}

// runningContainers returns the ids of containers that have a process.
func runningContainers(f fixture) (ids []string) {
	all, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, name := range all {
		line, _ := os.ReadFile(name)
		if _, rest, found := strings.Cut(string(line), f.dir+"/containers/"); found && len(rest) >= 32 {
			ids = append(ids, rest[:32])
		}
	}
	return ids
}

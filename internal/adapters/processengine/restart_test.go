package processengine_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// A run that no parent process recorded the exit of, or that started before the machine
// rebooted, has ended with its engine. A recorded exit in the same boot has not.
func TestRecoveryReportsRunsThatEndedWithTheirEngine(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ids := f.killDaemon(t, taskStartGames, 3)
	for _, id := range ids {
		game, parent := f.pids(t, id)
		if id == ids[0] { // as the loss of power does
			kill(t, parent)
		}
		kill(t, game)
		eventually(t, "the processes exit", func() bool { return !isAlive(game) && !isAlive(parent) })
	}
	for _, id := range ids[1:] {
		eventually(t, "the exit code is recorded", func() bool {
			_, err := os.Stat(filepath.Join(f.containerDir(id), "exit"))
			return err == nil
		})
	}
	// The second game was started before a reboot.
	file := filepath.Join(f.containerDir(ids[1]), "run.json")
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	var run map[string]any
	require.NoError(t, json.Unmarshal(text, &run))
	require.NotEmpty(t, run["boot"])
	run["boot"] = "another boot"
	text, err = json.Marshal(run)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))

	e := f.open(t)
	for i, endedWithEngine := range []bool{true, true, false} {
		c := e.waitExited(t, ids[i])
		require.Equal(t, endedWithEngine, c.EngineRestartedAt != nil, "game %d: %+v", i, c)
		require.Equal(t, endedWithEngine, c.EndedWithEngine(nil))
	}
	require.NoError(t, e.Start(t.Context(), ids[0]))
	game, _ := f.pids(t, ids[0])
	kill(t, game)
	require.Nil(t, e.waitExited(t, ids[0]).EngineRestartedAt, "the engine observed this exit")
	require.Equal(t, container.StateExited, e.inspect(t, ids[0]).State)
}

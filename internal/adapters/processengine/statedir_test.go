package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/enginetest"
)

func TestTheStateDirectoryOutlivesContainers(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.putScript(t, "counting:1", "echo run >>runs; pwd; cat runs | wc -l")
	e := f.open(t)
	for generation := range 3 {
		counting := spec("a/b")
		counting.Labels.Image, counting.Labels.Generation = "counting:1", int64(generation)
		c := e.start(t, counting)
		e.waitExited(t, c.ID)
		lines, err := e.Logs(t.Context(), c.ID, 2)
		require.NoError(t, err)
		require.Equal(t, c.StatePath, lines[0], "the working directory is the state directory")
		require.Equal(t, string(rune('1'+generation)), strings.TrimSpace(lines[1]))
		require.NoError(t, e.Remove(t.Context(), c.ID))
		require.DirExists(t, c.StatePath)
	}
}

func TestNoTwoGamesShareAStateDirectory(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	seen := map[string]string{}
	for _, id := range []string{
		"a", "A", "a/b", "a%2Fb", "a%2fb", "/", "//", ".a", "..a", "...", "../x", "a/../b", "a~b", "🎲", "%F0%9F%8E%B2", " x", "-a",
		strings.Repeat("y", 256), strings.Repeat("y", 255), strings.Repeat("🎲", 64), strings.Repeat("🎲", 63) + "🎳", strings.Repeat("/", 256),
	} {
		path := e.create(t, spec(id)).StatePath
		require.Equal(t, filepath.Join(f.dir, "state"), filepath.Dir(path), "directory of %q", id)
		require.LessOrEqual(t, len(filepath.Base(path)), 255)
		require.NotContains(t, seen, path, "game %q shares the directory of %q", id, seen[path])
		seen[path] = id
		require.NoError(t, os.Mkdir(path, 0o700), "directory of %q", id)
	}
}

func TestStateDir(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	config := f.config(owner)
	config.StateDir = filepath.Join(f.dir, "other")
	e := f.openWith(t, config)
	c := e.start(t, spec("a"))
	require.Equal(t, filepath.Join(config.StateDir, "a"), c.StatePath)
	require.DirExists(t, c.StatePath)
}

// The variables of the daemon can be secret.
func TestAGameGetsNoVariableOfTheDaemon(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	withEnv := spec("a/🎲")
	withEnv.Env = map[string]string{"MINE": "1", "HOME": "/other", "PORT": "1", "RTMANAGER_GAME_ID": "x"}
	withEnv.Labels.Generation = 7
	c := e.start(t, withEnv)
	waitReady(t, c)
	game, _ := f.pids(t, c.ID)
	content, err := os.ReadFile("/proc/" + e.stat(t, c.ID)[0] + "/environ")
	require.NoError(t, err)
	require.Positive(t, game)
	_, port, _ := strings.Cut(strings.TrimPrefix(c.Endpoint, "http://"), ":")
	require.ElementsMatch(t, []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MINE=1", "HOME=/other", "PORT=" + port,
		"RTMANAGER_GAME_ID=a/🎲", "RTMANAGER_IMAGE=" + image, "RTMANAGER_GENERATION=7",
		"RTMANAGER_CONTAINER_ID=" + c.ID,
	}, strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00"))
}

func TestForeignContainersAreCounted(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	e := f.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Close())

	var log strings.Builder
	config := f.config(enginetest.Owner{Store: "another", Node: "node-1"})
	config.Logger = textLogger(&log)
	f.openWith(t, config).Close()
	require.Contains(t, log.String(), "containers of other stores or nodes")
	require.Equal(t, c, f.open(t).inspect(t, c.ID))
}

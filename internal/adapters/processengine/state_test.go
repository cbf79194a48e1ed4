package processengine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/enginetest"
)

func TestAGamesDirectoryOutlivesItsContainers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.putScript(t, "counting:1", "echo again >>runs; pwd; cat runs | wc -l")
	e := s.open(t)
	for generation := range 3 {
		counts := spec("a/b")
		counts.Labels.Image, counts.Labels.Generation = "counting:1", int64(generation)
		c := e.start(t, counts)
		e.exited(t, c.ID)
		lines, err := e.Logs(t.Context(), c.ID, 2)
		require.NoError(t, err)
		require.Equal(t, c.StatePath, lines[0], "the game runs in its directory")
		require.Equal(t, string(rune('1'+generation)), strings.TrimSpace(lines[1]))
		require.NoError(t, e.Remove(t.Context(), c.ID))
		require.DirExists(t, c.StatePath)
	}
}

func TestNoTwoGamesShareADirectoryAndNoneLeadsElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	seen := map[string]string{}
	for _, id := range []string{
		"a", "A", "a/b", "a%2Fb", "a%2fb", "/", "//", ".a", "..a", "...", "../x", "a/../b", "a~b", "🎲", "%F0%9F%8E%B2", " ", "-a",
		strings.Repeat("y", 256), strings.Repeat("y", 255), strings.Repeat("🎲", 64), strings.Repeat("🎲", 63) + "🎳", strings.Repeat("/", 256),
	} {
		if id == " " {
			id = " x"
		}
		path := e.create(t, spec(id)).StatePath
		require.Equal(t, filepath.Join(s.dir, "state"), filepath.Dir(path), "directory of %q", id)
		require.LessOrEqual(t, len(filepath.Base(path)), 255)
		require.NotContains(t, seen, path, "game %q shares the directory of %q", id, seen[path])
		seen[path] = id
		require.NoError(t, os.Mkdir(path, 0o700), "directory of %q", id)
	}
}

func TestStateMayLieElsewhere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	config := s.config(owner)
	config.StateDir = filepath.Join(s.dir, "elsewhere")
	e := s.openWith(t, config)
	c := e.start(t, spec("a"))
	require.Equal(t, filepath.Join(config.StateDir, "a"), c.StatePath)
	require.DirExists(t, c.StatePath)
}

// The daemon's own variables are not the games' business.
func TestAGameGetsNoVariableOfTheDaemon(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	given := spec("a/🎲")
	given.Env = map[string]string{"MINE": "1", "HOME": "/elsewhere", "PORT": "1", "RTMANAGER_GAME_ID": "x"}
	given.Labels.Generation = 7
	c := e.start(t, given)
	ready(t, c)
	game, _ := s.pids(t, c.ID)
	content, err := os.ReadFile("/proc/" + e.stat(t, c.ID)[0] + "/environ")
	require.NoError(t, err)
	require.Positive(t, game)
	_, port, _ := strings.Cut(strings.TrimPrefix(c.Endpoint, "http://"), ":")
	require.ElementsMatch(t, []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "MINE=1", "HOME=/elsewhere", "PORT=" + port,
		"RTMANAGER_GAME_ID=a/🎲", "RTMANAGER_IMAGE=" + image, "RTMANAGER_GENERATION=7",
	}, strings.Split(strings.TrimSuffix(string(content), "\x00"), "\x00"))
}

func TestContainersOfOthersAreCounted(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	e := s.open(t)
	c := e.start(t, spec("a"))
	require.NoError(t, e.Close())

	var said strings.Builder
	config := s.config(enginetest.Owner{Store: "another", Node: "node-1"})
	config.Logger = textLogger(&said)
	s.openWith(t, config).Close()
	require.Contains(t, said.String(), "containers of other stores or nodes")
	require.Equal(t, c, s.open(t).inspect(t, c.ID))
}

package daemon_test

import (
	"bufio"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/dockertest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// startTwoNodes starts the daemon of the settings, and one without an engine on the same store.
func startTwoNodes(t *testing.T, cfg config.Config) (games, other *runningDaemon) {
	t.Helper()
	second := cfg
	second.DataDir, second.Node, second.Engine = t.TempDir(), "other", config.EngineNone
	return start(t, cfg), start(t, second)
}

// statePath returns the state directory of the game.
func (r *runningDaemon) statePath(t *testing.T, gameID string) string {
	t.Helper()
	page, err := r.client.Explain(t.Context(), gameID)
	require.NoError(t, err)
	require.Len(t, page.Containers, 1)
	return page.Containers[0].StatePath
}

func (r *runningDaemon) logs(t *testing.T, gameID string, options httpclient.LogOptions) string {
	t.Helper()
	log, err := r.client.Logs(t.Context(), gameID, options)
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	text, err := io.ReadAll(log)
	require.NoError(t, err)
	return string(text)
}

// scriptedGame writes a line, one more when the file go exists, and exits when the file end exists.
const scriptedGame = "#!/bin/sh\necho first\nwhile [ ! -e go ]; do sleep 0.05; done\necho second\nwhile [ ! -e end ]; do sleep 0.05; done\necho last\n"

func TestLogsAcrossNodes(t *testing.T) {
	t.Parallel()
	cfg := processSettings(t)
	image := filepath.Join(cfg.DataDir, "images", "scripted", "1")
	require.NoError(t, os.MkdirAll(filepath.Dir(image), 0o755))
	require.NoError(t, os.WriteFile(image, []byte(scriptedGame), 0o755))
	games, other := startTwoNodes(t, cfg)
	games.execute(t, operation.KindStart, "a/game", &operation.Spec{Image: "scripted:1", HealthPath: "none"})
	state := games.statePath(t, "a/game")

	for _, d := range []*runningDaemon{games, other} {
		require.Eventually(t, func() bool {
			return d.logs(t, "a/game", httpclient.LogOptions{Tail: -1}) == "first\n"
		}, timeout, 20*time.Millisecond)
		require.Regexp(t, `^\d{4}-\d\d-\d\dT[0-9:.]+Z first\n$`, d.logs(t, "a/game", httpclient.LogOptions{Tail: 10, HasTimes: true, Since: "1h"}))
		require.Empty(t, d.logs(t, "a/game", httpclient.LogOptions{Tail: -1, IsPrevious: true}))
		_, err := d.client.Logs(t.Context(), "missing", httpclient.LogOptions{Tail: -1})
		require.ErrorIs(t, err, runtime.ErrNotFound)
		_, err = d.client.Logs(t.Context(), "a/game", httpclient.LogOptions{Since: "yesterday"})
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.ErrorContains(t, err, `"yesterday" is neither a time`)
	}

	stats, err := other.client.Stats(t.Context(), "a/game")
	require.NoError(t, err)
	require.Positive(t, stats.MemoryBytes)
	require.Equal(t, "before", stats.Node)

	log, err := other.client.Logs(t.Context(), "a/game", httpclient.LogOptions{Tail: -1, IsFollowing: true})
	require.NoError(t, err)
	defer func() { require.NoError(t, log.Close()) }()
	lines := bufio.NewScanner(log)
	next := func() string {
		t.Helper()
		require.True(t, lines.Scan(), "error %v", lines.Err())
		return lines.Text()
	}
	require.Equal(t, "first", next())
	require.NoError(t, os.WriteFile(filepath.Join(state, "go"), nil, 0o600))
	require.Equal(t, "second", next())
	require.NoError(t, os.WriteFile(filepath.Join(state, "end"), nil, 0o600))
	require.Equal(t, "last", next())
	require.False(t, lines.Scan(), "the log ends with the game")
	require.NoError(t, lines.Err())

	require.Eventually(t, func() bool {
		record, err := games.client.Get(t.Context(), "a/game")
		return err == nil && record.Status == runtime.StatusStopped
	}, timeout, 20*time.Millisecond)
	games.execute(t, operation.KindCleanup, "a/game", nil)
	_, err = other.client.Logs(t.Context(), "a/game", httpclient.LogOptions{Tail: -1})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "it has no container")
}

// A stream ends with a reason when its daemon shuts down, and the client does not treat the log as
// complete.
func TestLogsEndWithTheDaemon(t *testing.T) {
	t.Parallel()
	games, other := startTwoNodes(t, processSettings(t))
	games.execute(t, operation.KindStart, "game", sleepingGame())
	for _, d := range []*runningDaemon{other, games} {
		log, err := d.client.Logs(t.Context(), "game", httpclient.LogOptions{Tail: -1, IsFollowing: true})
		require.NoError(t, err)
		require.NoError(t, d.stop())
		_, err = io.ReadAll(log)
		require.ErrorIs(t, err, runtime.ErrUnavailable)
		require.NoError(t, log.Close())
	}
}

func TestLogsOfDockerContainers(t *testing.T) {
	image := dockerImage(t)
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineDocker, "local", "games"
	games, other := startTwoNodes(t, cfg)
	removeContainersAtEnd(t, dockertest.Client(t), games.Store)
	games.execute(t, operation.KindStart, "game", &operation.Spec{Image: image})
	log, err := other.client.Logs(t.Context(), "game", httpclient.LogOptions{Tail: -1, IsFollowing: true, HasTimes: true})
	require.NoError(t, err)
	games.execute(t, operation.KindStop, "game", nil)
	text, err := io.ReadAll(log)
	require.NoError(t, err, "the log ends with the game")
	require.NoError(t, log.Close())
	require.Contains(t, string(text), "starts as process")
	require.Regexp(t, `^\d{4}-\d\d-\d\dT[0-9:.]+Z `, string(text))
	games.execute(t, operation.KindStart, "game", nil)
	require.Contains(t, other.logs(t, "game", httpclient.LogOptions{Tail: -1, IsPrevious: true}), "starts as process")
}

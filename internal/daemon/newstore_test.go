package daemon_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/operation"
)

// A daemon does not create an empty store in a directory with games of another one.
func TestNoEmptyStoreWithGamesOfAnother(t *testing.T) {
	t.Parallel()
	external := processSettings(t)
	d := start(t, external)
	game := d.execute(t, operation.KindStart, "game", sleepingGame())
	require.NotEmpty(t, game.CurrentContainerID)
	embedded := newSettings(t)
	embedded.DataDir = external.DataDir
	require.NoError(t, start(t, embedded).stop(), "the other daemon uses its own store")
	require.NoError(t, os.RemoveAll(filepath.Join(embedded.DataDir, "etcd")))
	require.NoError(t, os.Remove(filepath.Join(embedded.DataDir, "cluster.json")))
	require.NoError(t, d.stop())

	nodes := filepath.Join(embedded.DataDir, "nodes")
	for _, engine := range []string{config.EngineProcess, config.EngineNone} {
		embedded.Engine = engine
		err := startError(t, embedded)
		require.ErrorContains(t, err, "has no data of etcd, but 1 container(s) of games of node local/before in "+filepath.Join(nodes, "local", "before"))
		require.ErrorContains(t, err, "rtmanager restore --from SNAPSHOT --data-dir "+embedded.DataDir)
		require.ErrorContains(t, err, "--etcd-endpoints")
		require.ErrorContains(t, err, "rtmanager cluster replace")
		require.ErrorContains(t, err, "remove "+nodes)
		require.NoDirExists(t, filepath.Join(embedded.DataDir, "etcd"))
	}
	require.NoError(t, start(t, external).stop(), "a daemon on an external etcd is not affected")
	require.Len(t, pidsOf(t, external.DataDir), 1)
}

// The data directory does not contain what a node runs in Docker.
func TestNoEmptyStoreAfterDocker(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine = config.EngineProcess
	require.NoError(t, start(t, cfg).stop())
	require.NoError(t, os.RemoveAll(filepath.Join(cfg.DataDir, "etcd")))
	require.NoError(t, os.Remove(filepath.Join(cfg.DataDir, "cluster.json")))
	require.NoError(t, start(t, cfg).stop(), "a node without containers has no games")

	setEngine(t, cfg, config.EngineDocker)
	cfg.Engine = config.EngineNone
	require.NoError(t, start(t, cfg).stop(), "the store exists")
	require.NoError(t, os.RemoveAll(filepath.Join(cfg.DataDir, "etcd")))
	require.NoError(t, os.Remove(filepath.Join(cfg.DataDir, "cluster.json")))
	require.ErrorContains(t, startError(t, cfg), "has no data of etcd, but node "+cfg.Region+"/"+cfg.Node+" may have games in Docker")
}

package daemon_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// Another engine knows nothing of a node's games: it would find them all gone.
func TestNodeKeepsToItsEngine(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Engine = config.EngineProcess
	first := start(t, cfg)
	require.Equal(t, config.EngineProcess, first.Engine)
	require.NoError(t, first.stop())

	other := cfg
	other.Engine = config.EngineDocker
	err := refused(t, other)
	require.ErrorContains(t, err, "--engine docker: this node's games run on the engine process")

	auto := cfg
	auto.Engine = config.EngineAuto
	again := start(t, auto)
	require.Equal(t, config.EngineProcess, again.Engine, "whether or not a Docker Engine answers")
}

// A node that has run games on Docker runs none while Docker is away.
func TestNodeOnDockerWaitsForDocker(t *testing.T) {
	t.Parallel()
	cfg := settings(t)
	cfg.Engine = config.EngineProcess
	require.NoError(t, start(t, cfg).stop())
	markEngine(t, cfg, config.EngineDocker)

	cfg.Engine, cfg.DockerHost = config.EngineAuto, "unix://"+t.TempDir()+"/nobody.sock"
	require.Equal(t, config.EngineNone, start(t, cfg).Engine)
}

// markEngine makes the node one whose games run on that engine.
func markEngine(t *testing.T, cfg config.Config, kind string) {
	t.Helper()
	name := filepath.Join(cfg.DataDir, "nodes", cfg.Region, cfg.Node, "engine")
	require.FileExists(t, name)
	require.NoError(t, os.WriteFile(name, []byte(kind+"\n"), 0o600))
}

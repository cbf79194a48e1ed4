package daemon_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
)

// Another engine would not find the containers of the node's games.
func TestNodeKeepsItsEngine(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine = config.EngineProcess
	first := start(t, cfg)
	require.Equal(t, config.EngineProcess, first.Engine)
	require.NoError(t, first.stop())

	other := cfg
	other.Engine = config.EngineDocker
	err := startError(t, other)
	require.ErrorContains(t, err, "--engine docker: this node's games run on the engine process")

	auto := cfg
	auto.Engine = config.EngineAuto
	restarted := start(t, auto)
	require.Equal(t, config.EngineProcess, restarted.Engine, "whether or not a Docker Engine responds")
}

// A node that has run games on Docker runs none while Docker is unavailable.
func TestNodeOnDockerWithoutDocker(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine = config.EngineProcess
	require.NoError(t, start(t, cfg).stop())
	setEngine(t, cfg, config.EngineDocker)

	cfg.Engine, cfg.DockerHost = config.EngineAuto, "unix://"+t.TempDir()+"/missing.sock"
	require.Equal(t, config.EngineNone, start(t, cfg).Engine)
}

// setEngine stores the engine of the node.
func setEngine(t *testing.T, cfg config.Config, kind string) {
	t.Helper()
	name := filepath.Join(cfg.DataDir, "nodes", cfg.Region, cfg.Node, "engine")
	require.FileExists(t, name)
	require.NoError(t, os.WriteFile(name, []byte(kind+"\n"), 0o600))
}

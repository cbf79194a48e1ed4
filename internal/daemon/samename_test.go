package daemon_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// Two machines have the same node name. The second daemon does not start; the first one
// keeps its name.
func TestSecondDaemonWithTheSameNameFails(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease to expire")
	}
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node, cfg.NodeTTL = config.EngineProcess, "eu", "n1", 2*time.Second
	cfg.DataDir = t.TempDir()
	first := start(t, cfg)
	other := cfg
	other.DataDir = t.TempDir()
	err := startError(t, other)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "eu/n1")
	require.ErrorContains(t, err, "--node")
	require.Equal(t, http.StatusOK, statusOf(t, first.API+"/readyz"))

	require.NoError(t, first.stop())
	start(t, other) // the name is free
}

// A second daemon on the same data directory fails: it would be the same node.
func TestSecondDaemonOnTheSameDirectoryFails(t *testing.T) {
	t.Parallel()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node = config.EngineProcess, "eu", "n1"
	cfg.DataDir = t.TempDir()
	first := start(t, cfg)
	require.ErrorContains(t, startError(t, cfg), "another daemon on this machine runs as node eu/n1")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, http.StatusOK, statusOf(c, first.API+"/readyz"))
	}, timeout, 20*time.Millisecond)
}

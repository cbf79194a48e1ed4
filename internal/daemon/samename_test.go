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

// Two machines are given the same node name. The second one, which was told to run
// games, does not start, and says why; the first one has its name all the time.
func TestSecondDaemonOfOneNameIsRefused(t *testing.T) {
	t.Parallel()
	cfg := onEtcd(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node, cfg.NodeTTL = config.EngineProcess, "eu", "n1", 2*time.Second
	cfg.DataDir = t.TempDir()
	first := start(t, cfg)
	other := cfg
	other.DataDir = t.TempDir()
	err := refused(t, other)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "eu/n1")
	require.ErrorContains(t, err, "--node")
	require.Equal(t, http.StatusOK, statusOf(t, first.API+"/readyz"))

	require.NoError(t, first.stop())
	start(t, other) // the name is free
}

// A daemon on the same data directory is refused at once: there it is the same node.
func TestSecondDaemonOnOneDirectoryIsRefused(t *testing.T) {
	t.Parallel()
	cfg := onEtcd(t, etcdtest.Start(t).Endpoint())
	cfg.Engine, cfg.Region, cfg.Node = config.EngineProcess, "eu", "n1"
	cfg.DataDir = t.TempDir()
	first := start(t, cfg)
	require.ErrorContains(t, refused(t, cfg), "another daemon on this machine is node eu/n1")
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, http.StatusOK, statusOf(c, first.API+"/readyz"))
	}, patience, 20*time.Millisecond)
}

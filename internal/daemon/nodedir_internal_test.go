package daemon

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/filelock"
)

// The file engine is written only when it changes: a daemon starts on a full disk.
func TestTheEngineOfANodeIsWrittenOnce(t *testing.T) {
	t.Parallel()
	d, err := openNodeDir(t.TempDir(), node.Ref{Region: "eu", Name: "n1"}, node.Ref{})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, d.close()) })
	require.NoError(t, d.setEngine(config.EngineProcess))
	name := filepath.Join(d.path, "engine")
	before, err := os.Stat(name)
	require.NoError(t, err)
	require.NoError(t, d.setEngine(config.EngineProcess))
	after, err := os.Stat(name)
	require.NoError(t, err)
	require.True(t, os.SameFile(before, after), "the file is not replaced")
	require.NoError(t, d.setEngine(config.EngineDocker))
	stored, err := d.engine()
	require.NoError(t, err)
	require.Equal(t, config.EngineDocker, stored)
}

// Another daemon that starts on the data directory holds the lock of a node for a moment, to
// find out whether a daemon runs it.
func TestNodeDirWaitsForTheProbeOfAnotherDaemon(t *testing.T) {
	t.Parallel()
	dataDir, self := t.TempDir(), node.Ref{Region: "eu", Name: "n1"}
	d, err := openNodeDir(dataDir, self, node.Ref{})
	require.NoError(t, err)
	require.NoError(t, d.close())
	probe, err := filelock.Acquire(filepath.Join(d.path, "lock"), 0)
	require.NoError(t, err)
	released := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { released <- probe.Release() })
	d, err = openNodeDir(dataDir, self, node.Ref{})
	require.NoError(t, err)
	require.NoError(t, <-released)
	require.NoError(t, d.close())
}

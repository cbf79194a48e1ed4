package healthprobe_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/operation"
)

func TestTCP(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	target := operation.HealthTarget{URL: "tcp://" + listener.Addr().String()}
	require.NoError(t, healthprobe.New(0).Probe(t.Context(), target))
	require.NoError(t, listener.Close())
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: "tcp://127.0.0.1:1"}), "connection refused")
	require.ErrorContains(t, healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: "tcp://169.254.169.254:80"}), "link-local")
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), operation.HeartbeatFile)
	probe := func(since time.Time) error {
		return healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{Heartbeat: file, MaxAge: time.Hour, Since: since})
	}
	require.ErrorContains(t, probe(time.Time{}), "no heartbeat")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	require.NoError(t, probe(time.Now().Add(-time.Minute)), "the clock of a file system can be some milliseconds behind")

	at := time.Now().Add(-30 * time.Minute)
	require.NoError(t, os.Chtimes(file, at, at))
	require.NoError(t, probe(time.Time{}))
	require.ErrorContains(t, probe(at.Add(time.Minute)), "no heartbeat since the start")
	at = time.Now().Add(-2 * time.Hour)
	require.NoError(t, os.Chtimes(file, at, at))
	require.ErrorContains(t, probe(time.Time{}), "no heartbeat within 1h0m0s")

	require.NoError(t, os.Remove(file))
	require.NoError(t, os.Symlink(filepath.Join(t.TempDir(), "missing"), file))
	require.NoError(t, probe(time.Time{}), "the link itself counts, not its target")
}

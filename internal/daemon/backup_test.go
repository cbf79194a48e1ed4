package daemon_test

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A daemon that ran before the restore of its external etcd, and still runs, ends. Its next
// start continues the restored store under the same identity.
func TestDaemonEndsWhenItsEtcdIsRestored(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	cfg := externalSettings(t, server.Endpoint())
	cfg.Engine = config.EngineNone
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	ready, result := make(chan daemon.Ready, 1), make(chan error, 1)
	go func() {
		result <- daemon.Run(ctx, cfg, "test", slog.New(slog.DiscardHandler), func(r daemon.Ready) { ready <- r })
	}()
	before := <-ready
	file := filepath.Join(t.TempDir(), "b.snapshot")
	saveBackup(t, cfg, file)
	server.Stop()

	dir, peerURL := filepath.Join(t.TempDir(), "etcd"), "http://127.0.0.1:0"
	member := backup.Member{Name: "etcdtest", PeerURL: peerURL, Dir: dir}
	_, err := daemon.Restore(t.Context(), cfg, daemon.RestoreRequest{File: file, Members: []backup.Member{member}})
	require.NoError(t, err)
	address, err := url.Parse(server.Endpoint())
	require.NoError(t, err)
	etcdtest.Start(t, func(embedded *embed.Config) { embedded.Dir, embedded.ListenClientUrls = dir, []url.URL{*address} })
	err = <-result
	require.ErrorIs(t, err, runtime.ErrIncompatible)
	require.ErrorContains(t, err, "restart rtmanager")
	require.Equal(t, before.Store, start(t, cfg).Store)
}

// A daemon saves backups by itself, and its metrics describe the last one.
func TestScheduledBackups(t *testing.T) {
	t.Parallel()
	cfg := newSettings(t)
	cfg.Engine, cfg.BackupDir = config.EngineNone, filepath.Join(t.TempDir(), "new", "backups")
	d := start(t, cfg)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		metrics := metricsOf(c, d.API)
		require.Contains(c, metrics, "rtmanager_backups_total 1\n")
		require.Contains(c, metrics, "rtmanager_backup_failures_total 0\n")
		require.Contains(c, metrics, "rtmanager_backup_interval_seconds 21600\n")
		require.NotContains(c, metrics, "rtmanager_backup_last_success_timestamp_seconds 0\n")
	}, timeout, 20*time.Millisecond)
	files, err := filepath.Glob(filepath.Join(cfg.BackupDir, "*.snapshot"))
	require.NoError(t, err)
	require.Len(t, files, 1)
	_, _, err = backup.Verify(t.Context(), files[0])
	require.NoError(t, err)
}

func metricsOf(t require.TestingT, api string) string {
	resp, err := http.Get(api + "/metrics")
	require.NoError(t, err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	require.NoError(t, err)
	return string(body)
}

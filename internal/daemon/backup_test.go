package daemon_test

import (
	"context"
	"fmt"
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

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/tcptest"
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

// A member without a leader still has its records, and can be backed up.
func TestBackupWithoutQuorum(t *testing.T) {
	t.Parallel()
	clusterConfig := func(name string, join ...string) embeddedetcd.Config {
		return embeddedetcd.Config{
			DataDir: t.TempDir(), ListenClientURL: fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
			ListenPeerURL: fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
			Cluster:       &embeddedetcd.Cluster{Name: name, Init: len(join) == 0, Join: join},
		}
	}
	startMember := func(cfg embeddedetcd.Config) *embeddedetcd.Member {
		member, err := embeddedetcd.Start(t.Context(), cfg)
		require.NoError(t, err)
		t.Cleanup(func() { _ = member.Close() })
		<-member.Ready()
		return member
	}
	first := startMember(clusterConfig("eu/eu-1"))
	cfg := externalSettings(t, first.ClientURL())
	cfg.Engine = config.EngineNone
	d := start(t, cfg)
	require.NoError(t, d.client.Upsert(t.Context(), record("a")))
	require.NoError(t, d.stop())
	require.NoError(t, startMember(clusterConfig("us/us-1", first.ClientURL())).Close())
	require.Eventually(t, func() bool { return first.Health() != nil }, timeout, 20*time.Millisecond)

	cfg.EtcdDialTimeout = time.Second
	manifest, err := daemon.SaveBackup(t.Context(), cfg, filepath.Join(t.TempDir(), "b.snapshot"), "test", slog.New(slog.DiscardHandler))
	require.NoError(t, err)
	require.Equal(t, 1, manifest.Records())
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

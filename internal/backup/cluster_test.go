package backup_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/backup"
	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/tcptest"
)

// clusterTimeout bounds what a cluster of this machine does in a second.
const clusterTimeout = time.Minute

// memberConfig returns the settings of a member on free ports, with a directory of its own.
func memberConfig(t *testing.T, name string, join ...string) embeddedetcd.Config {
	t.Helper()
	return embeddedetcd.Config{
		DataDir:         filepath.Join(t.TempDir(), "data"),
		ListenClientURL: fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
		ListenPeerURL:   fmt.Sprintf("http://127.0.0.1:%d", tcptest.UnusedPort(t)),
		Cluster:         &embeddedetcd.Cluster{Name: name, Init: len(join) == 0, Join: join},
	}
}

// startCluster starts a member and waits until it has a vote.
func startCluster(t *testing.T, cfg embeddedetcd.Config) *embeddedetcd.Member {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	member, err := embeddedetcd.Start(ctx, cfg)
	require.NoError(t, err)
	t.Cleanup(func() { _ = member.Close() })
	select {
	case <-member.Ready():
	case err := <-member.Err():
		require.NoError(t, err)
	case <-ctx.Done():
		require.FailNow(t, "not ready", member.Health())
	}
	return member
}

// One member of a cluster is restored, and the others join it with empty directories.
func TestRestoreOfAnEmbeddedCluster(t *testing.T) {
	t.Parallel()
	first := memberConfig(t, "eu/eu-1")
	second := memberConfig(t, "us/us-1", first.ListenClientURL)
	eu := startCluster(t, first)
	store := openStore(t, eu.Client(), "")
	insert(t, store, "a", "b")
	us := startCluster(t, second)
	timing, _, err := etcdcluster.RaiseTiming(t.Context(), us.Client(), 300*time.Millisecond)
	require.NoError(t, err)
	file, manifest := save(t, us.Client())
	require.Equal(t, 2, manifest.Records())
	require.NoError(t, us.Close())

	restored := first
	restored.DataDir = filepath.Join(t.TempDir(), "restored")
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: restored.DataDir})
	var live *backup.LiveError
	require.ErrorAs(t, err, &live)
	require.Equal(t, []string{"member eu/eu-1 at " + first.ListenClientURL}, live.Members)
	require.NoError(t, store.Close())
	require.NoError(t, eu.Close())

	result, err := backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: restored.DataDir})
	require.NoError(t, err)
	eu = startCluster(t, restored)
	running, err := etcdcluster.RunningTimings(t.Context(), eu.Client())
	require.NoError(t, err)
	require.Len(t, running, 1)
	for _, reported := range running {
		require.Equal(t, timing, reported, "the member starts with the timing of its cluster")
	}
	twice := memberConfig(t, "us/us-1", restored.ListenClientURL)
	_, err = backup.Restore(t.Context(), file, backup.RestoreOptions{DataDir: twice.DataDir, IgnoreLive: true})
	require.NoError(t, err)
	_, err = embeddedetcd.Start(t.Context(), twice)
	require.ErrorContains(t, err, "restore one member only", "two clusters would have the same records")
	rejoined := memberConfig(t, "us/us-1", restored.ListenClientURL)
	us = startCluster(t, rejoined)
	members, err := etcdcluster.List(t.Context(), us.Client())
	require.NoError(t, err)
	require.Equal(t, result.ClusterID, members.ClusterID)
	require.Len(t, members.List, 2)
	copied := openStore(t, us.Client(), "")
	require.Equal(t, store.ID(), copied.ID())
	insert(t, copied, "c")
	report, err := openStore(t, eu.Client(), "").Check(t.Context(), false)
	require.NoError(t, err)
	require.True(t, report.IsClean(), report)
	require.Equal(t, 3, report.Records)
}

package operator_test

import (
	"encoding/json"
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
)

func TestDaemonsAndTheirGames(t *testing.T) {
	cluster, ctx := start(t)
	since := time.Now()
	d := cluster.StartDaemon(regions.EU, "eu-1")
	other := cluster.StartDaemon(regions.US, "us-1")
	t.Logf("two daemons are ready after %s", time.Since(since).Round(time.Millisecond))
	removed, killed := requireStarted(ctx, t, d, "removed"), requireStarted(ctx, t, d, "killed")

	require.NoError(t, operator.RestartDaemons(ctx, "", d, other))
	require.Len(t, d.Containers(), 2, "games continue to run")

	require.NoError(t, operator.KillGame(killed))
	require.NoError(t, operator.RemoveContainer(d, removed, true))
	require.Eventually(t, func() bool { return len(d.Containers()) == 0 }, timeout, 10*time.Millisecond)
	require.Empty(t, d.ContainerDir(removed.ID))
	require.Error(t, operator.RemoveContainer(d, removed, true))

	before := readLease(t, cluster, d)
	require.NoError(t, operator.RevokeSession(ctx, cluster, d))
	require.Eventually(t, func() bool {
		lease := readLease(t, cluster, d)
		return lease != 0 && lease != before
	}, timeout, 100*time.Millisecond, "the daemon has no other session")
}

// readLease returns the lease of the session of a daemon, and 0 for none.
func readLease(t *testing.T, cluster *regions.Cluster, d *regions.Daemon) int64 {
	t.Helper()
	resp, err := cluster.Client(regions.US).Get(t.Context(), "/nodes/"+d.Region()+"/"+d.Name())
	require.NoError(t, err)
	if len(resp.Kvs) == 0 {
		return 0
	}
	return resp.Kvs[0].Lease
}

// A backup is restored into the stopped cluster: what was written after it is missing.
func TestBackupAndRestore(t *testing.T) {
	cluster, ctx := start(t)
	d := cluster.StartDaemon(regions.AP, "ap-1")
	requireStarted(ctx, t, d, "before")
	file := filepath.Join(t.TempDir(), "backup")
	require.NoError(t, operator.Backup(ctx, cluster, file))
	requireStarted(ctx, t, d, "after")

	require.NoError(t, d.Shutdown(ctx))
	require.NoError(t, operator.Restore(ctx, cluster, file, filepath.Join(t.TempDir(), "restored")))
	require.NoError(t, d.Launch())
	for gameID, status := range map[string]int{"before": http.StatusOK, "after": http.StatusNotFound} {
		resp, err := d.StableClient().Do(ctx, http.MethodGet, "/v1/runtimes/"+gameID, nil)
		require.NoError(t, err)
		require.Equal(t, status, resp.Status, "%s: %s", gameID, resp.Body)
	}
}

// A daemon whose clock is ten minutes ahead of the machine writes these times into its records.
func TestSkewedClock(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles all packages")
	}
	binary, err := operator.BuildSkewed(t.Context(), t.TempDir())
	require.NoError(t, err)
	cluster, ctx := start(t)
	d := cluster.StartDaemon(regions.EU, "eu-1")
	d.SetEnvironment(operator.SkewedClock(10 * time.Minute))
	require.NoError(t, operator.RestartDaemons(ctx, binary, d))
	started := time.Now()
	requireStarted(ctx, t, d, "g")
	resp, err := d.StableClient().Do(ctx, http.MethodGet, "/v1/runtimes/g", nil)
	require.NoError(t, err)
	var record struct {
		CreatedAt time.Time `json:"created_at"`
	}
	require.NoError(t, json.Unmarshal(resp.Body, &record))
	require.Greater(t, record.CreatedAt.Sub(started), 9*time.Minute)

	d.SetEnvironment(operator.SkewedClock(-10 * time.Minute))
	require.NoError(t, operator.RestartDaemons(ctx, binary, d))
	requireStarted(ctx, t, d, "h")
}

package operator_test

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/regions"
)

// timeout bounds what a cluster of this machine does in some seconds.
const timeout = 2 * time.Minute

func TestMain(m *testing.M) { os.Exit(regions.Main(m)) }

// start starts a cluster without delays.
func start(t *testing.T, options ...regions.MemberOption) (*regions.Cluster, context.Context) {
	t.Helper()
	if testing.Short() {
		t.Skip("runs members of etcd as processes")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	t.Cleanup(cancel)
	since := time.Now()
	cluster := regions.Start(t, regions.RoundTrips{}, options...)
	t.Logf("the members have a leader after %s", time.Since(since).Round(time.Millisecond))
	return cluster, ctx
}

func put(ctx context.Context, client *clientv3.Client, key, value string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := client.Put(ctx, key, value)
	return err
}

func requireGet(ctx context.Context, t *testing.T, client *clientv3.Client, key, value string) {
	t.Helper()
	resp, err := client.Get(ctx, key)
	require.NoError(t, err)
	require.Len(t, resp.Kvs, 1)
	require.Equal(t, value, string(resp.Kvs[0].Value))
}

// requireStarted starts a game and returns its container.
func requireStarted(ctx context.Context, t *testing.T, d *regions.Daemon, gameID string) regions.Container {
	t.Helper()
	resp, err := d.StableClient().Do(ctx, http.MethodPost, "/v1/runtimes/"+gameID+"/start", map[string]any{"image": "gameserver:1.0.0"})
	require.NoError(t, err)
	require.Equal(t, http.StatusOK, resp.Status, "%s", resp.Body)
	for _, c := range d.Containers() {
		if c.Game == gameID {
			return c
		}
	}
	require.Fail(t, "the node has no container of the game "+gameID)
	return regions.Container{}
}

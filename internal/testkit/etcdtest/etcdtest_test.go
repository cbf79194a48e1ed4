package etcdtest_test

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestMain(m *testing.M) { os.Exit(etcdtest.Main(m)) }

func TestBothClientsUseTheSameServer(t *testing.T) {
	t.Parallel()
	ctx, key := t.Context(), etcdtest.Prefix(t)+"/key"

	_, err := etcdtest.Client(t).Put(ctx, key, "value")
	require.NoError(t, err)
	got, err := etcdtest.InProcess(t).Get(ctx, key)
	require.NoError(t, err)
	require.Equal(t, "value", string(got.Kvs[0].GetValue()))
}

func TestPrefixesDiffer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, etcdtest.Prefix(t), etcdtest.Prefix(t))
}

func TestRestartKeepsDataAndAddress(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	server := etcdtest.Start(t)
	client, endpoint := server.Client(), server.Endpoint()
	_, err := client.Put(ctx, "key", "value")
	require.NoError(t, err)

	server.Restart()

	require.Equal(t, endpoint, server.Endpoint())
	got, err := client.Get(ctx, "key")
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Count)
}

func TestStopDoesNotWaitForAnOpenWatch(t *testing.T) {
	t.Parallel()
	stop := func() time.Duration {
		server := etcdtest.Start(t)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		created := <-server.Client().Watch(ctx, "key", clientv3.WithCreatedNotify())
		require.True(t, created.Created)
		inProcess := <-server.InProcess().Watch(ctx, "key", clientv3.WithCreatedNotify())
		require.True(t, inProcess.Created)

		start := time.Now()
		server.Stop()
		server.Stop()
		return time.Since(start)
	}
	const attempts = 5 // a busy machine may take as long as etcd waits
	var took []time.Duration
	for range attempts {
		took = append(took, stop())
		if took[len(took)-1] < 4*time.Second {
			return
		}
	}
	require.Failf(t, "stop is slow", "etcd waits 5 s for streams; the stops took %s", took)
}

func TestQuotaRejectsPuts(t *testing.T) {
	t.Parallel()
	client := etcdtest.Start(t, etcdtest.Quota(64<<10)).Client()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	value := string(make([]byte, 32<<10))
	var err error
	for err == nil { // etcd measures its file, which grows after the puts
		_, err = client.Put(ctx, "key", value)
	}
	require.ErrorContains(t, err, "database space exceeded")
}

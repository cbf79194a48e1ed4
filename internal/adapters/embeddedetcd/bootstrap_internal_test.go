package embeddedetcd

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
)

func bootstrapConfig(dir string) Config {
	return Config{
		DataDir: dir, ListenClientURL: "http://127.0.0.1:0", StartTimeout: 30 * time.Second,
		TickInterval: 10 * time.Millisecond, ElectionTimeout: 50 * time.Millisecond,
	}
}

// A first start that is killed right after it has made its log leaves a log
// without an entry, on which etcd alone would wait for ever.
func TestFirstStartThatWasKilledIsBegunAnew(t *testing.T) {
	t.Parallel()
	cfg := bootstrapConfig(t.TempDir())
	data := dataDir{path: cfg.DataDir}
	require.NoError(t, data.writeCluster(cluster{Token: "rtmanager", PeerURL: "http://127.0.0.1:4000"}))
	member := filepath.Join(data.etcdDir(), "member")
	require.NoError(t, os.MkdirAll(member, 0o700))
	log, err := wal.Create(zap.NewNop(), filepath.Join(member, "wal"), nil)
	require.NoError(t, err)
	require.NoError(t, log.Close())

	begun, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	require.True(t, begun.data.cluster.Bootstrapped)
	require.NoError(t, begun.Close())
}

// The kill may also fall between the member's readiness and the note of it.
func TestDataOfAMemberThatWasReadyIsKept(t *testing.T) {
	t.Parallel()
	cfg := bootstrapConfig(t.TempDir())
	first, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	_, err = first.Client().Put(t.Context(), "key", "value")
	require.NoError(t, err)
	c := first.data.cluster
	require.NoError(t, first.Close())
	c.Bootstrapped = false
	require.NoError(t, (&dataDir{path: cfg.DataDir}).writeCluster(c))

	second, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	got, err := second.Client().Get(t.Context(), "key")
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Count)
	require.NoError(t, second.Close())
}

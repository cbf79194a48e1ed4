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

// A first start that is killed right after it has created its write-ahead log leaves a log
// without entries. On such a log etcd would wait for a leader forever.
func TestIncompleteBootstrapIsRepeated(t *testing.T) {
	t.Parallel()
	cfg := bootstrapConfig(t.TempDir())
	data := dataDir{path: cfg.DataDir}
	require.NoError(t, data.writeCluster(clusterInfo{Token: "rtmanager", PeerURL: "http://127.0.0.1:4000"}))
	memberDir := filepath.Join(data.etcdDir(), "member")
	require.NoError(t, os.MkdirAll(memberDir, 0o700))
	log, err := wal.Create(zap.NewNop(), filepath.Join(memberDir, "wal"), nil)
	require.NoError(t, err)
	require.NoError(t, log.Close())

	member, err := Start(t.Context(), cfg)
	require.NoError(t, err)
	require.True(t, member.data.cluster.Bootstrapped)
	require.NoError(t, member.Close())
}

// The daemon can also be killed after the member was ready and before cluster.json was
// written.
func TestDataOfAReadyMemberIsKept(t *testing.T) {
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

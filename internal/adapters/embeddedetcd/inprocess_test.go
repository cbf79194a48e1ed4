package embeddedetcd_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
)

// TestCloseWaitsForTheReplayOfAWatch cancels watches while etcd reads a long history for
// them, and closes the member at once: closing a database during a read terminates the
// process.
func TestCloseWaitsForTheReplayOfAWatch(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("writes a long history")
	}
	cfg := config(t.TempDir())
	cfg.StopTimeout = 30 * time.Second
	member := start(t, cfg)
	ops := make([]clientv3.Op, 100)
	for n := range 200 {
		for i := range ops {
			ops[i] = clientv3.OpPut(fmt.Sprint("key-", i), fmt.Sprint(n))
		}
		_, err := member.Client().Txn(t.Context()).Then(ops...).Commit()
		require.NoError(t, err)
	}

	// etcd starts a replay within 100 ms; these replays take a second.
	ctx, cancel := context.WithTimeout(t.Context(), 150*time.Millisecond)
	defer cancel()
	watches := make([]clientv3.WatchChan, 8)
	for i := range watches {
		watches[i] = member.Client().Watch(ctx, "key-", clientv3.WithPrefix(), clientv3.WithPrevKV(), clientv3.WithRev(2))
	}
	for _, watch := range watches {
		for range watch { // until the context ends it
		}
	}
	require.NoError(t, member.Close())
}

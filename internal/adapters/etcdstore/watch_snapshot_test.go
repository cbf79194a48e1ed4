package etcdstore_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestCompactedDuringTheSnapshot compacts while a consumer processes the first page of
// its snapshot: the rest cannot be read any more.
func TestCompactedDuringTheSnapshot(t *testing.T) {
	t.Parallel()
	for _, resync := range []bool{false, true} {
		t.Run(fmt.Sprint("resync ", resync), func(t *testing.T) {
			t.Parallel()
			r := newFixture(t, etcdtest.Start(t).InProcess(), etcdstore.Options{NoCache: true})
			const games = 600
			for n := range games {
				r.putRecordRaw(runningRecord(fmt.Sprintf("game-%03d", n)))
			}
			s := r.watch(ports.WatchOptions{Resync: resync})
			require.Equal(t, "game-000", s.event().GameID)
			r.deleteRaw("/runtimes/game-000")
			_, err := r.etcd.Compact(t.Context(), r.head())
			require.NoError(t, err)

			reported := 1
			for ; reported < 500; reported++ {
				require.Equal(t, ports.EventSnapshot, s.event().Type)
			}
			if !resync {
				s.ends(runtime.ErrCompacted)
				return
			}
			require.Equal(t, ports.EventResync, s.event().Type)
			second, deleted, _ := s.synced()
			require.Len(t, second, games-1, "the restarted snapshot")
			require.Equal(t, []string{"game-000"}, deleted, "delivered and deleted")
		})
	}
}

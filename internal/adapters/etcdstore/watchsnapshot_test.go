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

// TestCompactedDuringTheSnapshot compacts under a consumer that is still busy
// with the first page of its snapshot: the rest of it can be read no more.
func TestCompactedDuringTheSnapshot(t *testing.T) {
	t.Parallel()
	for _, resync := range []bool{false, true} {
		t.Run(fmt.Sprint("resync ", resync), func(t *testing.T) {
			t.Parallel()
			r := newRig(t, etcdtest.Start(t).InProcess(), etcdstore.Options{NoCache: true})
			const games = 600
			for n := range games {
				r.plantRecord(runningRecord(fmt.Sprintf("game-%03d", n)))
			}
			s := r.watch(ports.WatchOptions{Resync: resync})
			require.Equal(t, "game-000", s.event().GameID)
			r.uproot("/runtimes/game-000")
			_, err := r.etcd.Compact(t.Context(), r.head())
			require.NoError(t, err)

			told := 1
			for ; told < 500; told++ {
				require.Equal(t, ports.EventSnapshot, s.event().Type)
			}
			if !resync {
				s.ends(runtime.ErrCompacted)
				return
			}
			require.Equal(t, ports.EventResync, s.event().Type)
			again, gone, _ := s.synced()
			require.Len(t, again, games-1, "the snapshot from its beginning")
			require.Equal(t, []string{"game-000"}, gone, "told of and vanished")
		})
	}
}

package etcdstore_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// probeInterval is a ProbeInterval for tests that wait for it: above the 100 ms that etcd
// takes to start the replay of a watch.
const probeInterval = 150 * time.Millisecond

// overBoth runs a test over the network client and the in-process one.
func overBoth(t *testing.T, test func(t *testing.T, client *clientv3.Client)) {
	t.Run("tcp", func(t *testing.T) { t.Parallel(); test(t, etcdtest.Client(t)) })
	t.Run("in process", func(t *testing.T) { t.Parallel(); test(t, etcdtest.InProcess(t)) })
}

// TestCompactedWhileDisconnected breaks the watch, and compacts before the store can
// reopen it.
func TestCompactedWhileDisconnected(t *testing.T) {
	withAndWithoutCache(t, testCompactedWhileDisconnected)
}

func testCompactedWhileDisconnected(t *testing.T) {
	for _, resync := range []bool{false, true} {
		t.Run(fmt.Sprint("resync ", resync), func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			client, cut, back := server.InProcess(), make(chan struct{}), make(chan struct{})
			wrapWatcher(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
				switch n {
				case 1:
					<-cut
				case 2:
					<-back
					fallthrough
				default:
					forwardAll(ctx, open(), out)
				}
			})
			r := newFixture(t, client, etcdstore.Options{})
			for _, id := range []string{"changed", "kept", "vanished"} {
				r.put(runningRecord(id))
			}
			s := r.watch(ports.WatchOptions{Resync: resync})
			games, deleted, _ := s.synced()
			require.Equal(t, []string{"changed", "kept", "vanished"}, games)
			require.Empty(t, deleted)

			close(cut)
			transitioned := r.transition("changed", runtime.StatusRunning, runtime.StatusStopped)
			deleteGame(t, r, "vanished")
			r.put(runningRecord("new"))
			_, err := client.Compact(t.Context(), r.head())
			require.NoError(t, err)
			close(back)

			if !resync {
				s.ends(runtime.ErrCompacted)
				return
			}
			require.Equal(t, ports.EventResync, s.event().Type)
			event := s.event()
			require.Equal(t, transitioned.Record, *event.After)
			games, deleted, _ = s.synced()
			require.Equal(t, []string{"kept", "new"}, games)
			require.Equal(t, []string{"vanished"}, deleted)
			s.change(r.transition("new", runtime.StatusRunning, runtime.StatusStopped))
		})
	}
}

// putManyRaw writes the number of running records in one transaction, without index.
func (r fixture) putManyRaw(games int, containerID string) int64 {
	r.t.Helper()
	ops := make([]clientv3.Op, games)
	for n := range ops {
		id := fmt.Sprintf("game-%03d", n)
		ops[n] = clientv3.OpPut(r.prefix+"/runtimes/"+id, handWritten(id, fmt.Sprintf(`,"node":%q`, containerID)))
	}
	resp, err := r.etcd.Txn(r.t.Context()).Then(ops...).Commit()
	require.NoError(r.t, err)
	return resp.Header.GetRevision()
}

func TestOneRevisionOfManyGames(t *testing.T) { withAndWithoutCache(t, testOneRevisionOfManyGames) }

func testOneRevisionOfManyGames(t *testing.T) {
	r := sharedFixture(t)
	before := r.head()
	first, second := r.putManyRaw(5, "a"), r.putManyRaw(5, "b")

	s := r.watch(ports.WatchOptions{FromRevision: before})
	for _, revision := range []int64{first, second} {
		for n := range 5 {
			event := s.event()
			require.Equal(t, revision, event.Revision)
			require.Equal(t, n == 4, event.Last)
		}
	}
	filtered := r.watch(ports.WatchOptions{FromRevision: before, GameID: "game-002"})
	for _, revision := range []int64{first, second} {
		event := filtered.event()
		require.Equal(t, revision, event.Revision)
		require.True(t, event.Last, "the last event that is delivered")
	}
	resumed := r.watch(ports.WatchOptions{FromRevision: first})
	require.Equal(t, second, resumed.event().Revision)
}

// TestFilteredConsumerGetsBookmarks has a consumer whose filter no change matches, while
// other games change, and then only keys that are not records.
func TestFilteredConsumerGetsBookmarks(t *testing.T) {
	withAndWithoutCache(t, testFilteredConsumerGetsBookmarks)
}

func testFilteredConsumerGetsBookmarks(t *testing.T) {
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
		r.put(runningRecord("other"))
		s := r.watch(ports.WatchOptions{GameID: "quiet"})
		s.synced()
		s.bookmark(r.put(runningRecord("other")).Revision)
		s.bookmark(r.putRaw("/other", "not a record"))
		s.change(r.put(runningRecord("quiet")))
	})
}

// TestEarlyBreakLeavesNothing stops the loop at every kind of event; the package's leak
// check detects what remains, and Close waits for the rest.
func TestEarlyBreakLeavesNothing(t *testing.T) { withAndWithoutCache(t, testEarlyBreakLeavesNothing) }

func testEarlyBreakLeavesNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		r := newFixture(t, client, etcdstore.Options{})
		r.put(runningRecord("a"))
		first := r.put(runningRecord("b")).Revision - 1
		for leaveAt := range 4 {
			for _, from := range []int64{0, first} {
				n := 0
				for _, err := range r.Watch(within(t, testTimeout), ports.WatchOptions{FromRevision: from}) {
					require.NoError(t, err)
					if n == leaveAt {
						break
					}
					n++
					r.put(runningRecord("a"))
				}
			}
		}
		require.NoError(t, r.Close())
	})
}

package etcdstore_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestEtcdRestoredWhileWatching restores an older state of etcd's data: the revisions
// that the consumer has received do not belong to the store any more.
func TestEtcdRestoredWhileWatching(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts etcd")
	}
	withAndWithoutCache(t, testEtcdRestoredWhileWatching)
}

func testEtcdRestoredWhileWatching(t *testing.T) {
	for _, resync := range []bool{false, true} {
		t.Run(fmt.Sprint("resync ", resync), func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			r := newFixture(t, server.Client(), etcdstore.Options{CallTimeout: 200 * time.Millisecond, ProbeInterval: probeInterval})
			kept := r.put(runningRecord("kept"))
			data, backup := filepath.Join(server.Dir(), "etcd"), t.TempDir()
			server.Stop()
			require.NoError(t, os.CopyFS(backup, os.DirFS(data)))
			server.Restart()
			r.put(runningRecord("lost"))
			r.transition("kept", runtime.StatusRunning, runtime.StatusStopped)
			s := r.watch(ports.WatchOptions{Resync: resync})
			s.synced()

			server.Stop()
			require.NoError(t, os.RemoveAll(data))
			require.NoError(t, os.CopyFS(data, os.DirFS(backup)))
			server.Restart()
			if !resync {
				s.ends(runtime.ErrForeignRevision)
				return
			}
			require.Equal(t, ports.EventResync, s.event().Type)
			require.Equal(t, kept.Record, *s.event().After)
			_, deleted, _ := s.synced()
			require.Equal(t, []string{"lost"}, deleted)
			s.change(r.put(runningRecord("new")))
		})
	}
}

// TestAnotherClusterTakesThePlace connects the client to another cluster, with higher
// revisions, as a restore into a new one does. Its changes are no continuation, and
// cached records of the old cluster are not valid in it.
func TestAnotherClusterTakesThePlace(t *testing.T) {
	withAndWithoutCache(t, testAnotherClusterTakesThePlace)
}

func testAnotherClusterTakesThePlace(t *testing.T) {
	for _, resync := range []bool{false, true} {
		t.Run(fmt.Sprint("resync ", resync), func(t *testing.T) {
			t.Parallel()
			server := etcdtest.Start(t)
			client := server.Client()
			r := newFixture(t, client, etcdstore.Options{CallTimeout: 200 * time.Millisecond, ProbeInterval: probeInterval})
			r.put(runningRecord("game"))
			otherServer := etcdtest.Start(t, func(cfg *embed.Config) { cfg.InitialClusterToken = "elsewhere" })
			other := newFixture(t, otherServer.Client(), etcdstore.Options{Prefix: r.prefix})
			other.overwrite("game", 20)
			s := r.watch(ports.WatchOptions{Resync: resync})
			s.synced()

			client.SetEndpoints(otherServer.Endpoint())
			server.Stop()
			s.ends(runtime.ErrIncompatible)
			_, err := r.Get(t.Context(), "game")
			require.ErrorIs(t, err, runtime.ErrIncompatible, "Get")
			before := other.dump()
			require.ErrorIs(t, r.Upsert(t.Context(), runningRecord("new")), runtime.ErrIncompatible, "Upsert of a new game")
			require.ErrorIs(t, r.Upsert(t.Context(), runningRecord("game")), runtime.ErrIncompatible, "Upsert")
			require.ErrorIs(t, r.UpdateStatus(t.Context(), stopInput("game")), runtime.ErrIncompatible, "UpdateStatus")
			require.Equal(t, before, other.dump(), "the other cluster was written to")
		})
	}
}

// TestInterruptedResyncRestarts interrupts the snapshot of a resync for longer than
// OperationTimeout. When etcd is available, it has passed the revision of the stream:
// continuing there would leave a gap.
func TestInterruptedResyncRestarts(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than a second")
	}
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.InProcess()
	var lower atomic.Int64
	faults := faultkv.Wrap(client)
	faults.OnGet(func(resp *clientv3.GetResponse) { resp.Header.Revision -= lower.Load() })
	r := newFixture(t, client, etcdstore.Options{NoCache: true, OperationTimeout: 300 * time.Millisecond, ProbeInterval: probeInterval})
	plain := newFixture(t, server.InProcess(), etcdstore.Options{Prefix: r.prefix})
	for n := range 600 { // more than one page of a snapshot
		plain.putRecordRaw(runningRecord(fmt.Sprintf("game-%03d", n)))
	}
	events := subscribe(t, r, ports.WatchOptions{Resync: true})
	snapshots, resyncs := takeSnapshot(t, events, ports.EventSynced)
	require.Equal(t, 600, snapshots)
	require.Zero(t, resyncs)

	lower.Store(3)
	takeSnapshot(t, events, ports.EventSnapshot)
	var outage sync.Once // begins with the first request
	faults.OnRead(func(context.Context) error {
		outage.Do(func() { time.AfterFunc(time.Second, func() { faults.OnRead(nil) }) })
		return faultkv.ErrConnectionLost
	})
	// The listener has no space for the rest of the page, so the next one is not read yet.
	lower.Store(0)
	plain.put(runningRecord("new"))

	snapshots, resyncs = takeSnapshot(t, events, ports.EventSynced)
	require.Positive(t, resyncs, "the stream continued at its position")
	require.Equal(t, 601, snapshots)
}

// takeSnapshot reads events until one of the type, and returns how many resyncs there
// were and how many records since the last one.
func takeSnapshot(t *testing.T, events <-chan ports.RuntimeEvent, until ports.EventType) (snapshots, resyncs int) {
	t.Helper()
	for event := range events {
		switch event.Type {
		case until:
			return snapshots, resyncs
		case ports.EventSnapshot:
			snapshots++
		case ports.EventResync:
			snapshots, resyncs = 0, resyncs+1
		default:
			require.Fail(t, "not part of a snapshot", "%+v", event)
		}
	}
	require.Fail(t, "the watch ended")
	return 0, 0
}

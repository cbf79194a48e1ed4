package etcdstore_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestEtcdRestartsWhileWatching stops the member and starts it again on the same
// data and port: the consumer notices nothing.
func TestEtcdRestartsWhileWatching(t *testing.T) {
	withAndWithoutCache(t, testEtcdRestartsWhileWatching)
}

func testEtcdRestartsWhileWatching(t *testing.T) {
	server := etcdtest.Start(t)
	r := newRig(t, server.Client(), etcdstore.Options{CallTimeout: 200 * time.Millisecond, ProbeInterval: probing})
	r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{})
	s.synced()
	from, to := runtime.StatusRunning, runtime.StatusStopped
	for range 3 {
		for range 5 {
			s.change(r.move("game", from, to))
			from, to = to, from
		}
		unread := []runtime.VersionedRecord{r.move("game", from, to), r.move("game", to, from)}
		server.Restart()
		unread = append(unread, r.move("game", from, to))
		for _, want := range unread {
			s.change(want)
		}
		from, to = to, from
	}
}

// TestBlockedWatchCallIsNoticed blocks the call that opens the watch, as the
// client does while it has no connection.
func TestBlockedWatchCallIsNoticed(t *testing.T) {
	withAndWithoutCache(t, testBlockedWatchCallIsNoticed)
}

func testBlockedWatchCallIsNoticed(t *testing.T) {
	client := etcdtest.InProcess(t)
	blocked := &blockingWatcher{Watcher: client.Watcher}
	client.Watcher = blocked
	r := newRig(t, client, etcdstore.Options{ProbeInterval: probing})
	s := r.watch(ports.WatchOptions{})
	s.synced()
	s.change(r.put(runningRecord("game")))
	require.GreaterOrEqual(t, blocked.calls.Load(), int64(2), "calls to open a watch")
}

type blockingWatcher struct {
	clientv3.Watcher
	calls atomic.Int64
}

func (w *blockingWatcher) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	if w.calls.Add(1) == 1 {
		<-ctx.Done()
	}
	return w.Watcher.Watch(ctx, key, opts...)
}

// TestQuietIsNotSilence watches a store on which nothing happens for several
// intervals: the upstream is left alone.
func TestQuietIsNotSilence(t *testing.T) { withAndWithoutCache(t, testQuietIsNotSilence) }

func testQuietIsNotSilence(t *testing.T) {
	client := etcdtest.Start(t).InProcess()
	var heads atomic.Int64
	faultkv.Wrap(client).OnRead(func(context.Context) error { heads.Add(1); return nil })
	upstream := watchThrough(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		passAll(ctx, open(), out)
	})
	r := newRig(t, client, etcdstore.Options{ProbeInterval: probing / 10})
	require.NoError(t, r.Ready(t.Context()))
	r.put(runningRecord("game"))
	heard := listen(t, r, ports.WatchOptions{})
	require.Equal(t, ports.EventSnapshot, (<-heard).Type)
	require.Equal(t, ports.EventSynced, (<-heard).Type)
	started := r.put(runningRecord("game"))
	require.Equal(t, started.Revision, (<-heard).Revision)
	r.awaitCache(started.Revision)
	before, opened := heads.Load(), upstream.opened.Load()
	require.Eventually(t, func() bool { return heads.Load() > before+5 }, patience, time.Millisecond, "the store does not ask whether etcd is there")
	require.Equal(t, opened, upstream.opened.Load(), "a quiet upstream was opened again")
	written := r.put(runningRecord("game"))
	require.Equal(t, written.Revision, (<-heard).Revision)
}

// TestEtcdUnavailableMidStream makes the reads fail that a stream needs, for
// longer than one operation's patience.
func TestEtcdUnavailableMidStream(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	watchThrough(client, withoutPrevious)
	faults := faultkv.Wrap(client)
	r := newRig(t, client, etcdstore.Options{NoCache: true, OperationTimeout: 200 * time.Millisecond, ProbeInterval: probing})
	plain := r.another()
	first := plain.put(runningRecord("game"))
	heard := listen(t, r, ports.WatchOptions{})
	require.Equal(t, ports.EventSnapshot, (<-heard).Type)
	require.Equal(t, ports.EventSynced, (<-heard).Type)
	var failed atomic.Int64
	faults.OnRead(func(context.Context) error {
		if failed.Add(1) < 20 {
			return faultkv.ErrConnectionLost
		}
		return nil
	})
	plain.move("game", runtime.StatusRunning, runtime.StatusStopped)
	event := <-heard
	require.Equal(t, ports.EventTransitioned, event.Type)
	require.Equal(t, first.Record, *event.Before)
	require.GreaterOrEqual(t, failed.Load(), int64(20))
}

// listen reads a watch whose context has no deadline on a goroutine of its own,
// until the test ends. The channel closes when the watch does.
func listen(t *testing.T, r rig, options ports.WatchOptions) <-chan ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	heard := make(chan ports.RuntimeEvent, 64)
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer close(heard)
		for event, err := range r.Watch(ctx, options) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("the watch reports %v", err)
				}
				return
			}
			if event.Type != ports.EventBookmark {
				heard <- event
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-over
	})
	return heard
}

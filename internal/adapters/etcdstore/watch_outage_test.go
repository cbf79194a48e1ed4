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

// TestEtcdRestartsWhileWatching stops the member and restarts it on the same data and
// port: the consumer does not notice.
func TestEtcdRestartsWhileWatching(t *testing.T) {
	if testing.Short() {
		t.Skip("restarts etcd")
	}
	withAndWithoutCache(t, testEtcdRestartsWhileWatching)
}

func testEtcdRestartsWhileWatching(t *testing.T) {
	server := etcdtest.Start(t)
	r := newFixture(t, server.Client(), etcdstore.Options{CallTimeout: 200 * time.Millisecond, ProbeInterval: probeInterval})
	r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{})
	s.synced()
	from, to := runtime.StatusRunning, runtime.StatusStopped
	for range 3 {
		for range 5 {
			s.change(r.transition("game", from, to))
			from, to = to, from
		}
		unread := []runtime.VersionedRecord{r.transition("game", from, to), r.transition("game", to, from)}
		server.Restart()
		unread = append(unread, r.transition("game", from, to))
		for _, want := range unread {
			s.change(want)
		}
		from, to = to, from
	}
}

// TestBlockedWatchCallIsDetected blocks the call that opens the watch, as the client does
// while it has no connection.
func TestBlockedWatchCallIsDetected(t *testing.T) {
	withAndWithoutCache(t, testBlockedWatchCallIsDetected)
}

func testBlockedWatchCallIsDetected(t *testing.T) {
	client := etcdtest.InProcess(t)
	blocked := &blockingWatcher{Watcher: client.Watcher}
	client.Watcher = blocked
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
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

// TestIdleWatchIsKept watches a store without changes for several intervals: the watch is
// not reopened.
func TestIdleWatchIsKept(t *testing.T) { withAndWithoutCache(t, testIdleWatchIsKept) }

func testIdleWatchIsKept(t *testing.T) {
	client := etcdtest.Start(t).InProcess()
	var heads atomic.Int64
	faultkv.Wrap(client).OnRead(func(context.Context) error { heads.Add(1); return nil })
	watches := wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		forwardAll(ctx, open(), out)
	})
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval / 10})
	require.NoError(t, r.Ready(t.Context()))
	r.put(runningRecord("game"))
	events := subscribe(t, r, ports.WatchOptions{})
	require.Equal(t, ports.EventSnapshot, (<-events).Type)
	require.Equal(t, ports.EventSynced, (<-events).Type)
	started := r.put(runningRecord("game"))
	require.Equal(t, started.Revision, (<-events).Revision)
	r.waitForCache(started.Revision)
	before, opened := heads.Load(), watches.opened.Load()
	require.Eventually(t, func() bool { return heads.Load() > before+5 }, testTimeout, time.Millisecond, "the store does not check whether etcd responds")
	require.Equal(t, opened, watches.opened.Load(), "an idle watch was reopened")
	result := r.put(runningRecord("game"))
	require.Equal(t, result.Revision, (<-events).Revision)
}

// TestEtcdUnavailableMidStream fails the reads that a stream needs, for longer than
// OperationTimeout.
func TestEtcdUnavailableMidStream(t *testing.T) {
	if testing.Short() {
		t.Skip("takes more than three seconds")
	}
	t.Parallel()
	client := etcdtest.InProcess(t)
	wrapWatcher(client, withoutPrevious)
	faults := faultkv.Wrap(client)
	const operationTimeout = 2 * time.Second
	r := newFixture(t, client, etcdstore.Options{NoCache: true, OperationTimeout: operationTimeout, ProbeInterval: probeInterval})
	plain := r.another()
	first := plain.put(runningRecord("game"))
	events := subscribe(t, r, ports.WatchOptions{})
	require.Equal(t, ports.EventSnapshot, (<-events).Type)
	require.Equal(t, ports.EventSynced, (<-events).Type)
	var failed atomic.Int64
	repaired := time.Now().Add(operationTimeout + time.Second)
	faults.OnRead(func(context.Context) error {
		if time.Now().Before(repaired) {
			failed.Add(1)
			return faultkv.ErrConnectionLost
		}
		return nil
	})
	plain.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	event := <-events
	require.Equal(t, ports.EventTransitioned, event.Type)
	require.Equal(t, first.Record, *event.Before)
	require.Positive(t, failed.Load())
	require.False(t, time.Now().Before(repaired), "the event precedes the repair")
}

// subscribe reads a watch whose context has no deadline on a goroutine of its own, until
// the test ends. The channel closes when the watch does.
func subscribe(t *testing.T, r fixture, options ports.WatchOptions) <-chan ports.RuntimeEvent {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	events := make(chan ports.RuntimeEvent, 64)
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer close(events)
		for event, err := range r.Watch(ctx, options) {
			if err != nil {
				if ctx.Err() == nil {
					t.Errorf("the watch reports %v", err)
				}
				return
			}
			if event.Type != ports.EventBookmark {
				events <- event
			}
		}
	}()
	t.Cleanup(func() {
		cancel()
		<-done
	})
	return events
}

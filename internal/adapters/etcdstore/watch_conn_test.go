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

// TestClosedWatchLosesNothing closes the client's channel repeatedly, with events that it
// had received and not forwarded.
func TestClosedWatchLosesNothing(t *testing.T) {
	withAndWithoutCache(t, testClosedWatchLosesNothing)
}

func testClosedWatchLosesNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		watches := wrapWatcher(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
			in := open()
			for i := 0; i < n || n > 4; i++ {
				resp, ok := <-in
				if !ok || !forwardOne(ctx, resp, out) {
					return
				}
			}
			<-in // lost
		})
		r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
		s := r.watch(ports.WatchOptions{})
		s.synced()
		var results []runtime.VersionedRecord
		for n := range 40 {
			results = append(results, r.put(runningRecord(fmt.Sprint("game-", n%3))))
			if n%4 == 0 { // responses of one event and of many
				for _, want := range results {
					s.change(want)
				}
				results = nil
			}
		}
		for _, want := range results {
			s.change(want)
		}
		require.GreaterOrEqual(t, watches.opened.Load(), int64(4))
	})
}

// TestRepeatedResponsesAreDropped forwards every response twice, as a watch would that is
// reopened too early.
func TestRepeatedResponsesAreDropped(t *testing.T) {
	withAndWithoutCache(t, testRepeatedResponsesAreDropped)
}

func testRepeatedResponsesAreDropped(t *testing.T) {
	client := etcdtest.InProcess(t)
	wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			for range 2 {
				if !forwardOne(ctx, resp, out) {
					return
				}
			}
		}
	})
	r := newFixture(t, client, etcdstore.Options{})
	s := r.watch(ports.WatchOptions{})
	s.synced()
	for n := range 10 {
		s.change(r.put(runningRecord(fmt.Sprint("game-", n%3))))
	}
}

// TestUnresponsiveWatchIsDetected discards every response of the watch without an error,
// as if the server had disappeared, on either client.
func TestUnresponsiveWatchIsDetected(t *testing.T) {
	withAndWithoutCache(t, testUnresponsiveWatchIsDetected)
}

func testUnresponsiveWatchIsDetected(t *testing.T) {
	for name, forward := range map[string]forwardFunc{
		"after a while": func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
			in := open()
			if resp, ok := <-in; ok && forwardOne(ctx, resp, out) {
				discardAll(in)
			}
		},
		"from the start": func(_ context.Context, _ int, open func() clientv3.WatchChan, _ chan<- clientv3.WatchResponse) {
			discardAll(open())
		},
		"never opened": func(ctx context.Context, _ int, _ func() clientv3.WatchChan, _ chan<- clientv3.WatchResponse) {
			<-ctx.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, client *clientv3.Client) {
				watches := wrapWatcher(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
					if n == 1 {
						forward(ctx, n, open, out)
					} else {
						forwardAll(ctx, open(), out)
					}
				})
				r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
				s := r.watch(ports.WatchOptions{})
				s.synced()
				start := time.Now()
				s.change(r.put(runningRecord("game")))
				s.change(r.transition("game", runtime.StatusRunning, runtime.StatusStopped))
				t.Logf("detected and reopened after %v, probing every %v", time.Since(start).Round(time.Millisecond), probeInterval)
				require.GreaterOrEqual(t, watches.opened.Load(), int64(2), "watches opened")
			})
		})
	}
}

// TestSlowConsumerLosesNothing makes far more changes than the buffer holds before the
// consumer reads any.
func TestSlowConsumerLosesNothing(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	watches := wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		forwardAll(ctx, open(), out)
	})
	r := newFixture(t, client, etcdstore.Options{NoCache: true})
	s := r.watch(ports.WatchOptions{})
	s.synced()
	s.change(r.put(runningRecord("first")))
	plain := r.another()
	var revisions []int64
	for round := range 60 {
		revisions = append(revisions, plain.putManyRaw(100, fmt.Sprint("round-", round)))
	}
	for i := 0; i < len(revisions); i++ {
		if i == 10 { // there is space, and these changes follow a gap
			revisions = append(revisions, plain.putManyRaw(100, "late"))
		}
		for n := range 100 {
			event := s.event()
			require.Equal(t, revisions[i], event.Revision)
			require.Equal(t, fmt.Sprintf("game-%03d", n), event.GameID)
			require.Equal(t, n == 99, event.Last, "Last is set on the last event of a revision only")
		}
	}
	require.Greater(t, watches.opened.Load(), int64(1), "the buffer was never full")
}

// TestSlowReplayIsAwaited has etcd take longer for the first response of each watch than
// the initial idle timeout. Reopening the watch each time would never succeed, because
// the replay would restart.
func TestSlowReplayIsAwaited(t *testing.T) { withAndWithoutCache(t, testSlowReplayIsAwaited) }

func testSlowReplayIsAwaited(t *testing.T) {
	client := etcdtest.InProcess(t)
	wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		in := open()
		select {
		case <-time.After(6 * probeInterval):
			forwardAll(ctx, in, out)
		case <-ctx.Done():
		}
	})
	r := newFixture(t, client, etcdstore.Options{ProbeInterval: probeInterval})
	first := r.put(runningRecord("game"))
	transitioned := r.transition("game", runtime.StatusRunning, runtime.StatusStopped)
	s := r.watch(ports.WatchOptions{FromRevision: first.Revision})
	s.change(transitioned)
}

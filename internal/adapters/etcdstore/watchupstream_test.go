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

// TestClosedUpstreamLosesNothing closes the client's channel, again and again,
// with events that it had received and not handed on.
func TestClosedUpstreamLosesNothing(t *testing.T) {
	withAndWithoutCache(t, testClosedUpstreamLosesNothing)
}

func testClosedUpstreamLosesNothing(t *testing.T) {
	overBoth(t, func(t *testing.T, client *clientv3.Client) {
		upstream := watchThrough(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
			in := open()
			for i := 0; i < n || n > 4; i++ {
				resp, ok := <-in
				if !ok || !passOne(ctx, resp, out) {
					return
				}
			}
			<-in // received and lost
		})
		r := newRig(t, client, etcdstore.Options{ProbeInterval: probing})
		s := r.watch(ports.WatchOptions{})
		s.synced()
		var written []runtime.VersionedRecord
		for n := range 40 {
			written = append(written, r.put(runningRecord(fmt.Sprint("game-", n%3))))
			if n%4 == 0 { // responses of one event and of many
				for _, want := range written {
					s.change(want)
				}
				written = nil
			}
		}
		for _, want := range written {
			s.change(want)
		}
		require.GreaterOrEqual(t, upstream.opened.Load(), int64(4))
	})
}

// TestRepeatedResponsesAreDropped hands on every response twice, as an upstream
// might that was opened again too early.
func TestRepeatedResponsesAreDropped(t *testing.T) {
	withAndWithoutCache(t, testRepeatedResponsesAreDropped)
}

func testRepeatedResponsesAreDropped(t *testing.T) {
	client := etcdtest.InProcess(t)
	watchThrough(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		for resp := range open() {
			for range 2 {
				if !passOne(ctx, resp, out) {
					return
				}
			}
		}
	})
	r := newRig(t, client, etcdstore.Options{})
	s := r.watch(ports.WatchOptions{})
	s.synced()
	for n := range 10 {
		s.change(r.put(runningRecord(fmt.Sprint("game-", n%3))))
	}
}

// TestSilentUpstreamIsNoticed swallows everything that the upstream says, which
// no error announces: as if the server had vanished, on either client.
func TestSilentUpstreamIsNoticed(t *testing.T) { withAndWithoutCache(t, testSilentUpstreamIsNoticed) }

func testSilentUpstreamIsNoticed(t *testing.T) {
	for name, silence := range map[string]passOn{
		"after a while": func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
			in := open()
			if resp, ok := <-in; ok && passOne(ctx, resp, out) {
				swallowAll(in)
			}
		},
		"from the start": func(_ context.Context, _ int, open func() clientv3.WatchChan, _ chan<- clientv3.WatchResponse) {
			swallowAll(open())
		},
		"never opened": func(ctx context.Context, _ int, _ func() clientv3.WatchChan, _ chan<- clientv3.WatchResponse) {
			<-ctx.Done()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			overBoth(t, func(t *testing.T, client *clientv3.Client) {
				upstream := watchThrough(client, func(ctx context.Context, n int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
					if n == 1 {
						silence(ctx, n, open, out)
					} else {
						passAll(ctx, open(), out)
					}
				})
				r := newRig(t, client, etcdstore.Options{ProbeInterval: probing})
				s := r.watch(ports.WatchOptions{})
				s.synced()
				began := time.Now()
				s.change(r.put(runningRecord("game")))
				s.change(r.move("game", runtime.StatusRunning, runtime.StatusStopped))
				t.Logf("noticed and healed after %v, probing every %v", time.Since(began).Round(time.Millisecond), probing)
				require.GreaterOrEqual(t, upstream.opened.Load(), int64(2), "upstreams opened")
			})
		})
	}
}

// TestSlowConsumerLosesNothing lets far more happen than the buffer holds before
// the consumer takes anything.
func TestSlowConsumerLosesNothing(t *testing.T) {
	t.Parallel()
	client := etcdtest.InProcess(t)
	upstream := watchThrough(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		passAll(ctx, open(), out)
	})
	r := newRig(t, client, etcdstore.Options{NoCache: true})
	s := r.watch(ports.WatchOptions{})
	s.synced()
	s.change(r.put(runningRecord("first")))
	plain := r.another()
	var revisions []int64
	for round := range 60 {
		revisions = append(revisions, plain.plantMany(100, fmt.Sprint("round-", round)))
	}
	for i := 0; i < len(revisions); i++ {
		if i == 10 { // there is room again, and what comes now lies beyond a gap
			revisions = append(revisions, plain.plantMany(100, "late"))
		}
		for n := range 100 {
			event := s.event()
			require.Equal(t, revisions[i], event.Revision)
			require.Equal(t, fmt.Sprintf("game-%03d", n), event.GameID)
			require.Equal(t, n == 99, event.Last, "Last is set on the last event of a revision only")
		}
	}
	require.Greater(t, upstream.opened.Load(), int64(1), "the buffer was never full")
}

// TestSlowReplayIsWaitedFor has etcd take longer over the first word of each
// upstream than silence is suffered at first. To open another one each time would
// never come to an end, since that begins from the beginning.
func TestSlowReplayIsWaitedFor(t *testing.T) { withAndWithoutCache(t, testSlowReplayIsWaitedFor) }

func testSlowReplayIsWaitedFor(t *testing.T) {
	client := etcdtest.InProcess(t)
	watchThrough(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		in := open()
		select {
		case <-time.After(6 * probing):
			passAll(ctx, in, out)
		case <-ctx.Done():
		}
	})
	r := newRig(t, client, etcdstore.Options{ProbeInterval: probing})
	first := r.put(runningRecord("game"))
	moved := r.move("game", runtime.StatusRunning, runtime.StatusStopped)
	s := r.watch(ports.WatchOptions{FromRevision: first.Revision})
	s.change(moved)
}

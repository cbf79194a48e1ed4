package etcdstore_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// The size of TestWatchMatchesHistory.
const (
	historyWatchers = 20
	historyWrites   = 1500
	historyStep     = 25 // writes from one compaction to the next
)

// TestWatchMatchesHistory has watchers with random starts, filters and speeds follow a
// random history, over watches that break and under compaction, and compares their events
// with what etcd has recorded.
func TestWatchMatchesHistory(t *testing.T) { withAndWithoutCache(t, testWatchMatchesHistory) }

func testWatchMatchesHistory(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	server := etcdtest.Start(t)
	writer := newFixture(t, server.InProcess(), etcdstore.Options{})
	truth := recordChanges(t, writer)
	steps := newSteps(historyWrites / historyStep)

	var opened atomic.Int64
	clients := []*clientv3.Client{server.Client(), server.InProcess(), server.Client(), server.InProcess()}
	for n, client := range clients[2:] {
		breakAtRandom(client, rand.New(rand.NewPCG(seed, uint64(1000+n))), &opened)
	}
	var stores []fixture
	for _, client := range clients {
		stores = append(stores, newFixture(t, client, etcdstore.Options{Prefix: writer.prefix, ProbeInterval: probeInterval}))
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*testTimeout)
	defer cancel()
	var watchers [historyWatchers]*randomWatcher
	var end atomic.Int64
	var wg sync.WaitGroup
	for n := range watchers {
		store := stores[n%len(stores)].Store
		w := &randomWatcher{rng: rand.New(rand.NewPCG(seed, uint64(n)+1)), steps: steps, end: &end}
		watchers[n] = w
		wg.Go(func() { w.run(ctx, store, writer.etcd, writer.prefix) })
	}
	end.Store(writeHistory(t, writer, rand.New(rand.NewPCG(seed, 0)), steps, pace(ctx, stores[2].Store)))
	writer.putRaw("/other", "a bookmark for watchers at the end of the history")
	wg.Wait()

	changes := truth(end.Load())
	resyncs, live := 0, 0
	for n, w := range watchers {
		require.NoError(t, w.err, "watcher %d, %+v, after %d events", n, w.options, len(w.events))
		c := compareWithHistory(t, fmt.Sprintf("watcher %d, %+v", n, w.options), w, changes)
		resyncs, live = resyncs+c.resyncs, live+c.live
	}
	t.Logf("%d changes; %d watchers received %d live, over %d broken watches, and restarted %d times",
		len(changes), len(watchers), live, opened.Load(), resyncs)
	require.Greater(t, live, len(changes), "too few live changes for a valid test")
	require.Positive(t, resyncs, "no watcher had to resync")
}

// steps lets watchers wait for a step of the history.
type steps struct{ done []chan struct{} }

func newSteps(n int) *steps {
	s := &steps{done: make([]chan struct{}, n)}
	for i := range s.done {
		s.done[i] = make(chan struct{})
	}
	return s
}

// waitFor returns when the i-th step is done, or the last one for a larger i.
func (s *steps) waitFor(ctx context.Context, i int) {
	if i >= len(s.done) {
		i = len(s.done) - 1
	}
	select {
	case <-s.done[i]:
	case <-ctx.Done():
	}
}

// made returns how many steps are done.
func (s *steps) made() int {
	for i, done := range s.done {
		select {
		case <-done:
		default:
			return i
		}
	}
	return len(s.done)
}

// followForPace follows the history over watches that break, and reports its position, so
// that the writer does not finish before a consumer has received anything.
func pace(ctx context.Context, store *etcdstore.Store) <-chan int64 {
	heads := make(chan int64, 8*historyWrites)
	go func() {
		defer close(heads)
		for event, err := range store.Watch(ctx, ports.WatchOptions{Resync: true}) {
			if err == nil {
				heads <- event.Revision
			}
		}
	}()
	return heads
}

// breakAtRandom makes every watch of the client break after some responses.
func breakAtRandom(client *clientv3.Client, rng *rand.Rand, opened *atomic.Int64) {
	var mu sync.Mutex
	wrapWatcher(client, func(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
		mu.Lock()
		callerErr := 1 + rng.IntN(20)
		mu.Unlock()
		opened.Add(1)
		for resp := range open() {
			if !forwardOne(ctx, resp, out) {
				return
			}
			if callerErr--; callerErr == 0 {
				return
			}
		}
	})
}

// randomWatcher follows the history at its own pace and records its events.
type randomWatcher struct {
	rng     *rand.Rand
	steps   *steps
	end     *atomic.Int64 // revision to stop at; 0 until it is known
	options ports.WatchOptions
	events  []ports.RuntimeEvent
	err     error
}

func (w *randomWatcher) run(ctx context.Context, store *etcdstore.Store, etcd *clientv3.Client, prefix string) {
	w.steps.waitFor(ctx, w.rng.IntN(30))
	w.options.Resync = true
	if w.rng.IntN(2) == 0 {
		head, err := etcd.Get(ctx, prefix+"/meta/schema")
		if err != nil {
			w.err = err
			return
		}
		w.options.FromRevision = max(1, head.Header.GetRevision()-int64(w.rng.IntN(historyStep)))
	}
	switch w.rng.IntN(4) {
	case 0:
		w.options.Statuses = []runtime.Status{runtime.Statuses()[w.rng.IntN(2)]}
	case 1:
		w.options.Regions = []string{"region-1"}
	case 2:
		w.options.GameID = "a/b"
	}
	slowness := w.rng.IntN(3)
	for event, err := range store.Watch(ctx, w.options) {
		if err != nil {
			w.err = err
			return
		}
		w.events = append(w.events, event)
		if end := w.end.Load(); event.Last && end > 0 && event.Revision >= end {
			return
		}
		if slowness > 0 && w.rng.IntN(30) == 0 {
			w.steps.waitFor(ctx, w.steps.made()+w.rng.IntN(2*slowness))
		}
	}
}

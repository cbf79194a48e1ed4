package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/ports"
)

// watchWorkloads returns the delivery of a change to a subscriber of the store and to a
// bare etcd watch. The writer is the same, a single UpdateStatus. Both latencies count
// from its start, because an event often arrives before the response of its write.
func watchWorkloads(_ context.Context, r *runner) (measured, baseline workload, err error) {
	return r.watchWorkload(r.watchStore), r.watchWorkload(r.watchBare), nil
}

// watchFunc watches until ctx ends, and calls onEvent for each change of a record after
// the revision.
type watchFunc func(ctx context.Context, revision int64, onEvent func()) error

// watchWorkload returns a workload with one writer, which waits for the event of each
// write before the next. The latency is that of the event.
func (r *runner) watchWorkload(listen watchFunc) workload {
	w := r.writers[0]
	received := make(chan time.Time, 1)
	var fault error
	done := make(chan struct{})
	write := func(ctx context.Context) (time.Duration, error) {
		start := time.Now()
		if err := w.transitionOn(r.store)(ctx); err != nil {
			return 0, err
		}
		select {
		case at := <-received:
			return at.Sub(start), nil
		case <-done:
			return 0, fmt.Errorf("the watch ended: %w", fault)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	startWatch := func(ctx context.Context) (func(), error) {
		revision, err := r.currentRevision(ctx)
		if err != nil {
			return nil, err
		}
		done = make(chan struct{})
		watchCtx, cancel := context.WithCancel(ctx)
		go func() {
			defer close(done)
			fault = listen(watchCtx, revision, func() { received <- time.Now() })
		}()
		stop := func() {
			cancel()
			<-done
		}
		if _, err := write(ctx); err != nil { // the watch has started when this event arrives
			stop()
			return nil, err
		}
		return stop, nil
	}
	return workload{workers: []workerCall{write}, writes: true, start: startWatch}
}

// watchStore is a watchFunc of the store.
func (r *runner) watchStore(ctx context.Context, revision int64, onEvent func()) error {
	for event, err := range r.store.Watch(ctx, ports.WatchOptions{FromRevision: revision}) {
		if err != nil {
			return err
		}
		if event.GameID != "" {
			onEvent()
		}
	}
	return nil
}

var errWatchClosed = errors.New("etcd closed the watch")

// watchBare is a watchFunc of etcd that does not decode the events.
func (r *runner) watchBare(ctx context.Context, revision int64, onEvent func()) error {
	for resp := range r.cluster.WatchClient.Watch(ctx, r.recordKey(""), clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
		if err := resp.Err(); err != nil {
			return err
		}
		for range resp.Events {
			onEvent()
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errWatchClosed
}

// watchCounter is a client that counts its open watches.
type watchCounter struct {
	clientv3.Watcher
	client *clientv3.Client
	open   atomic.Int64
}

func newWatchCounter(client *clientv3.Client) *watchCounter {
	c := &watchCounter{Watcher: client.Watcher, client: clientv3.NewCtxClient(client.Ctx())}
	c.client.KV, c.client.Lease, c.client.Cluster, c.client.Maintenance = client.KV, client.Lease, client.Cluster, client.Maintenance
	c.client.Watcher = c
	return c
}

// Watch implements clientv3.Watcher. A watch counts until its context ends.
func (c *watchCounter) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	c.open.Add(1)
	context.AfterFunc(ctx, func() { c.open.Add(-1) })
	return c.Watcher.Watch(ctx, key, opts...)
}

// subscriberPool is a number of subscribers of one store. It counts the events that they
// receive.
type subscriberPool struct {
	size        int64
	received    atomic.Int64 // subscribers that have received the current event
	allReceived chan time.Time
	stop        context.CancelFunc
	running     sync.WaitGroup
	failed      chan error
}

// startSubscribers starts subscribers that watch from the revision.
func (r *runner) startSubscribers(ctx context.Context, revision int64) *subscriberPool {
	c := &subscriberPool{size: int64(r.options.Watchers), allReceived: make(chan time.Time, 1), failed: make(chan error, 1)}
	watchCtx, stop := context.WithCancel(ctx)
	c.stop = stop
	for range c.size {
		c.running.Go(func() {
			err := r.watchStore(watchCtx, revision, c.onEvent)
			if watchCtx.Err() != nil {
				return
			}
			select {
			case c.failed <- fmt.Errorf("a subscriber's watch ended: %w", err):
			default: // another subscriber has failed
			}
		})
	}
	return c
}

func (c *subscriberPool) onEvent() {
	if c.received.Add(1) == c.size {
		c.allReceived <- time.Now()
	}
}

// timeToAll makes a write and returns the time from its start until every subscriber has
// received its event.
func (c *subscriberPool) timeToAll(ctx context.Context, write func(context.Context) error) (time.Duration, error) {
	c.received.Store(0)
	start := time.Now()
	calls, cancel := withGrace(ctx)
	defer cancel()
	if err := write(calls); err != nil {
		return 0, err
	}
	select {
	case at := <-c.allReceived:
		return at.Sub(start), nil
	case err := <-c.failed:
		return 0, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (c *subscriberPool) stopAll() {
	c.stop()
	c.running.Wait()
}

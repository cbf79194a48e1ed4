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

// watches holds the way of a change to a subscriber of the store against its way
// to a bare etcd watch. The writer is the same, a lone UpdateStatus, and both
// are timed from its start: an event often arrives before its write is answered.
func watches(_ context.Context, r *rig) (ours, theirs side, err error) {
	return r.watched(r.subscribe), r.watched(r.watchBare), nil
}

// listen watches until ctx ends, and calls heard for each change of a record. It
// begins at the revision, so nothing written after it is missed.
type listen func(ctx context.Context, revision int64, heard func()) error

// watched is a side with one writer, who waits for each event before the next
// write. Its call takes as long as the event did.
func (r *rig) watched(listen listen) side {
	w := r.writers[0]
	heard := make(chan time.Time, 1)
	var fault error
	ended := make(chan struct{})
	write := func(ctx context.Context) (time.Duration, error) {
		began := time.Now()
		if err := w.on(r.store)(ctx); err != nil {
			return 0, err
		}
		select {
		case at := <-heard:
			return at.Sub(began), nil
		case <-ended:
			return 0, fmt.Errorf("the watch ended: %w", fault)
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	}
	begin := func(ctx context.Context) (func(), error) {
		revision, err := r.head(ctx)
		if err != nil {
			return nil, err
		}
		ended = make(chan struct{})
		watching, stop := context.WithCancel(ctx)
		go func() {
			defer close(ended)
			fault = listen(watching, revision, func() { heard <- time.Now() })
		}()
		end := func() {
			stop()
			<-ended
		}
		if _, err := write(ctx); err != nil { // it is there when this one is heard
			end()
			return nil, err
		}
		return end, nil
	}
	return side{workers: []call{write}, writes: true, begin: begin}
}

// subscribe listens through the store.
func (r *rig) subscribe(ctx context.Context, revision int64, heard func()) error {
	for event, err := range r.store.Watch(ctx, ports.WatchOptions{FromRevision: revision}) {
		if err != nil {
			return err
		}
		if event.GameID != "" {
			heard()
		}
	}
	return nil
}

var errWatchClosed = errors.New("etcd closed the watch")

// watchBare listens to etcd, as little as a watch can do.
func (r *rig) watchBare(ctx context.Context, revision int64, heard func()) error {
	for resp := range r.cluster.WatchClient.Watch(ctx, r.recordKey(""), clientv3.WithPrefix(), clientv3.WithRev(revision+1)) {
		if err := resp.Err(); err != nil {
			return err
		}
		for range resp.Events {
			heard()
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errWatchClosed
}

// countedWatches is a client for watches that knows how many it has.
type countedWatches struct {
	clientv3.Watcher
	client *clientv3.Client
	open   atomic.Int64
}

func countWatches(client *clientv3.Client) *countedWatches {
	c := &countedWatches{Watcher: client.Watcher, client: clientv3.NewCtxClient(client.Ctx())}
	c.client.KV, c.client.Lease, c.client.Cluster, c.client.Maintenance = client.KV, client.Lease, client.Cluster, client.Maintenance
	c.client.Watcher = c
	return c
}

// Watch implements clientv3.Watcher. A watch counts until its context ends.
func (c *countedWatches) Watch(ctx context.Context, key string, opts ...clientv3.OpOption) clientv3.WatchChan {
	c.open.Add(1)
	context.AfterFunc(ctx, func() { c.open.Add(-1) })
	return c.Watcher.Watch(ctx, key, opts...)
}

// crowd is many subscribers of one store that count the events they get.
type crowd struct {
	size    int64
	heard   atomic.Int64 // of the event that is under way
	all     chan time.Time
	stop    context.CancelFunc
	running sync.WaitGroup
	failed  chan error
}

// gather starts the subscribers behind the revision.
func (r *rig) gather(ctx context.Context, revision int64) *crowd {
	c := &crowd{size: int64(r.options.Watchers), all: make(chan time.Time, 1), failed: make(chan error, 1)}
	watching, stop := context.WithCancel(ctx)
	c.stop = stop
	for range c.size {
		c.running.Go(func() {
			err := r.subscribe(watching, revision, c.hear)
			if watching.Err() != nil {
				return
			}
			select {
			case c.failed <- fmt.Errorf("a subscriber's watch ended: %w", err):
			default: // one is enough
			}
		})
	}
	return c
}

func (c *crowd) hear() {
	if c.heard.Add(1) == c.size {
		c.all <- time.Now()
	}
}

// reach makes a write and returns how long it took, from its start, until every
// subscriber had its event.
func (c *crowd) reach(ctx context.Context, write func(context.Context) error) (time.Duration, error) {
	c.heard.Store(0)
	began := time.Now()
	calls, cancel := outlast(ctx)
	defer cancel()
	if err := write(calls); err != nil {
		return 0, err
	}
	select {
	case at := <-c.all:
		return at.Sub(began), nil
	case err := <-c.failed:
		return 0, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

func (c *crowd) leave() {
	c.stop()
	c.running.Wait()
}

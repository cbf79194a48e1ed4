package bench

import (
	"context"
	"errors"
	"fmt"
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

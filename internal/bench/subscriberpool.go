package bench

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// subscriberPool runs the subscribers of one store. It measures when all of them have
// received an event.
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
	p := &subscriberPool{size: int64(r.options.Watchers), allReceived: make(chan time.Time, 1), failed: make(chan error, 1)}
	watchCtx, stop := context.WithCancel(ctx)
	p.stop = stop
	for range p.size {
		p.running.Go(func() {
			err := r.watchStore(watchCtx, revision, p.onEvent)
			if watchCtx.Err() != nil {
				return
			}
			select {
			case p.failed <- fmt.Errorf("a subscriber's watch ended: %w", err):
			default: // another subscriber has failed
			}
		})
	}
	return p
}

func (p *subscriberPool) onEvent() {
	if p.received.Add(1) == p.size {
		p.allReceived <- time.Now()
	}
}

// timeToAll writes once and returns the time from its start until every subscriber has
// received its event.
func (p *subscriberPool) timeToAll(ctx context.Context, write func(context.Context) error) (time.Duration, error) {
	p.received.Store(0)
	start := time.Now()
	calls, cancel := withGrace(ctx)
	defer cancel()
	if err := write(calls); err != nil {
		return 0, err
	}
	select {
	case at := <-p.allReceived:
		return at.Sub(start), nil
	case err := <-p.failed:
		return 0, err
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
}

// stopAll ends the subscribers and waits for them.
func (p *subscriberPool) stopAll() {
	p.stop()
	p.running.Wait()
}

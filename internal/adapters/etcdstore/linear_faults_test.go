package etcdstore_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/wait"
)

// linearFaults injects faults between one store and etcd, from start to stop.
type linearFaults struct {
	kv     *faultkv.KV
	outage int            // how many requests an outage takes
	late   sync.WaitGroup // requests that are executed after their callers have returned

	mu       sync.Mutex
	rng      *rand.Rand
	active   bool
	down     int // remaining requests of the current outage
	jam      int // remaining slow writes, during which others become pending
	injected int
}

// injectLinearFaults injects faults into the client that a store will be opened on.
func injectLinearFaults(client *clientv3.Client, rng *rand.Rand, outage int) *linearFaults {
	f := &linearFaults{rng: rng, outage: outage}
	f.kv = faultkv.Wrap(client)
	f.kv.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		return f.write(ctx, send)
	})
	f.kv.OnRead(f.read)
	f.kv.OnResponse(f.delay)
	wrapWatcher(client, f.watch)
	return f
}

func (f *linearFaults) start() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = true
}

// roll returns a number below 1000 for the next request: 0 in an outage, and 999 before
// start. A number below the limit is a fault.
func (f *linearFaults) roll(limit int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.active {
		return 999
	}
	roll := f.rng.IntN(1000)
	switch {
	case f.down > 0:
		f.down--
		roll = 0
	case roll < 3:
		f.down = f.outage
	}
	if roll < limit {
		f.injected++
	}
	return roll
}

// upTo returns a random duration of at most that many milliseconds.
func (f *linearFaults) upTo(milliseconds int) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.rng.IntN(milliseconds*1000)) * time.Microsecond
}

// stop ends the faults and waits for delayed requests.
func (f *linearFaults) stop() {
	f.mu.Lock()
	f.active = false
	f.mu.Unlock()
	f.late.Wait()
}

func (f *linearFaults) write(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
	switch roll := f.roll(400); {
	case roll < 60: // the request is lost
		return nil, faultkv.ErrConnectionLost
	case roll < 80: // and the caller cancels
		return nil, cancelCaller(ctx, faultkv.ErrConnectionLost)
	case roll < 150: // the reply is lost
		_, _ = send(ctx)
		return nil, faultkv.ErrConnectionLost
	case roll < 200: // and the caller cancels
		_, _ = send(ctx)
		return nil, cancelCaller(ctx, faultkv.ErrConnectionLost)
	case roll < 260: // the request is executed late
		f.executeLate(send)
		return nil, faultkv.ErrConnectionLost
	case roll < 310: // and the caller has canceled
		f.executeLate(send)
		return nil, cancelCaller(ctx, faultkv.ErrConnectionLost)
	case roll < 330: // the request hangs
		<-ctx.Done()
		return nil, ctx.Err()
	case roll < 360: // the request is executed a second time, late
		resp, err := send(ctx)
		f.executeLate(send)
		return resp, err
	case roll < 380:
		return nil, rpctypes.ErrTooManyRequests
	case roll < 400:
		f.startJam()
	}
	if err := f.queue(ctx); err != nil {
		return nil, err
	}
	return send(ctx)
}

func (f *linearFaults) startJam() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.jam = 40
}

// waitInJam waits for a while during a jam.
func (f *linearFaults) queue(ctx context.Context) error {
	f.mu.Lock()
	jammed := f.jam > 0
	f.jam = max(0, f.jam-1)
	f.mu.Unlock()
	if !jammed {
		return nil
	}
	return wait.For(ctx, f.upTo(10))
}

func (f *linearFaults) read(ctx context.Context) error {
	switch roll := f.roll(100); {
	case roll < 40:
		return faultkv.ErrConnectionLost
	case roll < 50:
		return cancelCaller(ctx, faultkv.ErrConnectionLost)
	case roll < 60:
		<-ctx.Done()
		return ctx.Err()
	case roll < 100:
		return wait.For(ctx, f.upTo(3))
	}
	return nil
}

// watch breaks streams, losing the response at hand, and delays them.
func (f *linearFaults) watch(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
	for resp := range open() {
		roll := f.roll(350)
		if roll < 20 {
			return
		}
		if roll < 350 && wait.For(ctx, f.upTo(6)) != nil {
			return
		}
		if !forwardOne(ctx, resp, out) {
			return
		}
	}
}

// executeLate sends the request after a delay; stop waits for it.
func (f *linearFaults) executeLate(send faultkv.Send) {
	after := f.upTo(15)
	f.late.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
		defer cancel()
		if wait.For(ctx, after) == nil {
			_, _ = send(ctx)
		}
	})
}

// cancelCaller cancels the caller, if the request belongs to one, and returns the error.
func cancelCaller(ctx context.Context, err error) error {
	if cancel, ok := ctx.Value(cancelKey{}).(context.CancelFunc); ok {
		cancel()
	}
	return err
}

// delay makes responses late: an old response must not be treated as the current state.
func (f *linearFaults) delay(ctx context.Context) error {
	if f.roll(150) >= 150 {
		return nil
	}
	return wait.For(ctx, f.upTo(3))
}

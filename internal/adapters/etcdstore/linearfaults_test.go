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

// linearFaults meddles with everything between one store and etcd, from begin to
// settle.
type linearFaults struct {
	kv     *faultkv.KV
	outage int            // how many requests an outage takes
	late   sync.WaitGroup // requests that land when nobody waits for them any more

	mu       sync.Mutex
	rng      *rand.Rand
	active   bool
	down     int // how many requests more the present outage takes
	jam      int // how many writes more are slow in a row, so that others queue up
	injected int
}

// meddleWith puts faults between the client and etcd, which a store can then be
// opened on.
func meddleWith(client *clientv3.Client, rng *rand.Rand, outage int) *linearFaults {
	f := &linearFaults{rng: rng, outage: outage}
	f.kv = faultkv.Wrap(client)
	f.kv.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		return f.write(ctx, send)
	})
	f.kv.OnRead(f.read)
	f.kv.OnResponse(f.delay)
	watchThrough(client, f.watch)
	return f
}

func (f *linearFaults) begin() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.active = true
}

// roll returns a number below 1000 for the next request: 0 in an outage, and 999
// where nothing is to happen. Below the limit it is a fault.
func (f *linearFaults) roll(limit int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.active {
		return 999
	}
	fate := f.rng.IntN(1000)
	switch {
	case f.down > 0:
		f.down--
		fate = 0
	case fate < 3:
		f.down = f.outage
	}
	if fate < limit {
		f.injected++
	}
	return fate
}

// upTo returns a random time of so many milliseconds at most.
func (f *linearFaults) upTo(milliseconds int) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	return time.Duration(f.rng.IntN(milliseconds*1000)) * time.Microsecond
}

// settle lets everything land that is on its way, and injects nothing more.
func (f *linearFaults) settle() {
	f.mu.Lock()
	f.active = false
	f.mu.Unlock()
	f.late.Wait()
}

func (f *linearFaults) write(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
	switch fate := f.roll(400); {
	case fate < 60: // the request is lost
		return nil, faultkv.ErrConnectionLost
	case fate < 80: // and the caller leaves
		return nil, leaveWith(ctx, faultkv.ErrConnectionLost)
	case fate < 150: // the reply is lost
		_, _ = send(ctx)
		return nil, faultkv.ErrConnectionLost
	case fate < 200: // and the caller leaves
		_, _ = send(ctx)
		return nil, leaveWith(ctx, faultkv.ErrConnectionLost)
	case fate < 260: // the request lands late
		f.landLate(send)
		return nil, faultkv.ErrConnectionLost
	case fate < 310: // and the caller has left by then
		f.landLate(send)
		return nil, leaveWith(ctx, faultkv.ErrConnectionLost)
	case fate < 330: // the request hangs
		<-ctx.Done()
		return nil, ctx.Err()
	case fate < 360: // the client sends it twice by itself
		_, _ = send(ctx)
		return send(ctx)
	case fate < 380:
		return nil, rpctypes.ErrTooManyRequests
	case fate < 400:
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

// queue waits in a jam for a while.
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
	switch fate := f.roll(100); {
	case fate < 40:
		return faultkv.ErrConnectionLost
	case fate < 50:
		return leaveWith(ctx, faultkv.ErrConnectionLost)
	case fate < 60:
		<-ctx.Done()
		return ctx.Err()
	case fate < 100:
		return wait.For(ctx, f.upTo(3))
	}
	return nil
}

// watch breaks streams, with what they were about to tell, and makes them late.
func (f *linearFaults) watch(ctx context.Context, _ int, open func() clientv3.WatchChan, out chan<- clientv3.WatchResponse) {
	for resp := range open() {
		fate := f.roll(350)
		if fate < 20 {
			return
		}
		if fate < 350 && wait.For(ctx, f.upTo(6)) != nil {
			return
		}
		if !passOne(ctx, resp, out) {
			return
		}
	}
}

// landLate sends the request after a while; settle waits for it.
func (f *linearFaults) landLate(send faultkv.Send) {
	after := f.upTo(15)
	f.late.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if wait.For(ctx, after) == nil {
			_, _ = send(ctx)
		}
	})
}

// leaveWith ends the caller's wait, where the request is one caller's, and
// returns the error.
func leaveWith(ctx context.Context, err error) error {
	if leave, ok := ctx.Value(leaveKey{}).(context.CancelFunc); ok {
		leave()
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

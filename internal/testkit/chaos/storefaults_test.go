package chaos_test

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/faultkv"
	"galaxy/rtmanager/internal/wait"
)

// How many of a thousand writes to etcd of a store in this process meet which fault.
const (
	lostRequests  = 8
	lostResponses = 12
	lateRequests  = 8 // executed after their response was lost
)

// requestFaults loses requests and responses between a store in this process and etcd, at random. It is
// safe for concurrent use.
type requestFaults struct {
	mu   sync.Mutex
	rng  *rand.Rand
	late sync.WaitGroup
}

// injectRequestFaults injects faults into the client that a store is opened on.
func injectRequestFaults(client *clientv3.Client) *requestFaults {
	f := &requestFaults{rng: rand.New(rand.NewPCG(rand.Uint64(), 0))} //nolint:gosec // no secret
	faultkv.Wrap(client).OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		return f.write(ctx, send)
	})
	return f
}

func (f *requestFaults) intN(n int) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.rng.IntN(n)
}

func (f *requestFaults) write(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
	switch roll := f.intN(1000); {
	case roll < lostRequests:
		return nil, faultkv.ErrConnectionLost
	case roll < lostRequests+lostResponses:
		_, _ = send(ctx)
		return nil, faultkv.ErrConnectionLost
	case roll < lostRequests+lostResponses+lateRequests:
		delay := time.Duration(f.intN(int(500 * time.Millisecond)))
		f.late.Go(func() {
			lateCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
			defer cancel()
			if wait.For(lateCtx, delay) == nil { // the network has the request
				_, _ = send(lateCtx)
			}
		})
		return nil, faultkv.ErrConnectionLost
	default:
		return send(ctx)
	}
}

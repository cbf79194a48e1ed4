package etcdstore_test

import (
	"context"
	"slices"
	"sync"
	"testing"

	clientv3 "go.etcd.io/etcd/client/v3"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// errLost is what the etcd client says when a connection breaks under a request.
var errLost = status.Error(codes.Unavailable, "connection reset by the test")

// sendTxn sends the transaction at hand to etcd, as often as it is called.
type sendTxn func(ctx context.Context) (*clientv3.TxnResponse, error)

// writeFault stands between the store and etcd for the n-th transaction, from
// 1, that could write.
type writeFault func(ctx context.Context, n int, send sendTxn) (*clientv3.TxnResponse, error)

// faulty injects faults into a client's requests. It is safe for concurrent use.
type faulty struct {
	clientv3.KV

	mu     sync.Mutex
	writes int
	write  writeFault
	read   func(ctx context.Context) error
}

// newFaulty returns a client of the shared server with faults to be injected.
func newFaulty(t *testing.T) (*clientv3.Client, *faulty) {
	t.Helper()
	client := etcdtest.InProcess(t)
	return client, injectInto(client)
}

func injectInto(client *clientv3.Client) *faulty {
	f := &faulty{KV: client.KV}
	client.KV = f
	return f
}

// onWrite sets the fault for the writes from here on and counts them anew.
func (f *faulty) onWrite(fault writeFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes, f.write = 0, fault
}

// onFirstWrite sets a fault for the next write alone.
func (f *faulty) onFirstWrite(fault func(ctx context.Context, send sendTxn) (*clientv3.TxnResponse, error)) {
	f.onWrite(func(ctx context.Context, n int, send sendTxn) (*clientv3.TxnResponse, error) {
		if n == 1 {
			return fault(ctx, send)
		}
		return send(ctx)
	})
}

// onRead sets what is asked before every request that cannot write; its error is
// the answer.
func (f *faulty) onRead(fault func(ctx context.Context) error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.read = fault
}

func (f *faulty) beforeRead(ctx context.Context) error {
	f.mu.Lock()
	fault := f.read
	f.mu.Unlock()
	if fault == nil {
		return nil
	}
	return fault(ctx)
}

// sent is how many writes have come by since onWrite.
func (f *faulty) sent() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.writes
}

func (f *faulty) Get(ctx context.Context, key string, opts ...clientv3.OpOption) (*clientv3.GetResponse, error) {
	if err := f.beforeRead(ctx); err != nil {
		return nil, err
	}
	return f.KV.Get(ctx, key, opts...)
}

func (f *faulty) Txn(ctx context.Context) clientv3.Txn { return &faultyTxn{f: f, ctx: ctx} }

func (f *faulty) nextWrite() (int, writeFault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.writes++
	return f.writes, f.write
}

// faultyTxn collects a transaction, so that it can be sent any number of times.
type faultyTxn struct {
	f            *faulty
	ctx          context.Context
	compares     []clientv3.Cmp
	then, orElse []clientv3.Op
}

func (x *faultyTxn) If(compares ...clientv3.Cmp) clientv3.Txn {
	x.compares = compares
	return x
}

func (x *faultyTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	x.then = ops
	return x
}

func (x *faultyTxn) Else(ops ...clientv3.Op) clientv3.Txn {
	x.orElse = ops
	return x
}

func (x *faultyTxn) Commit() (*clientv3.TxnResponse, error) {
	send := func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return x.f.KV.Txn(ctx).If(x.compares...).Then(x.then...).Else(x.orElse...).Commit()
	}
	if !slices.ContainsFunc(x.then, func(op clientv3.Op) bool { return op.IsPut() || op.IsDelete() || op.IsTxn() }) {
		if err := x.f.beforeRead(x.ctx); err != nil {
			return nil, err
		}
		return send(x.ctx)
	}
	n, fault := x.f.nextWrite()
	if fault == nil {
		return send(x.ctx)
	}
	return fault(x.ctx, n, send)
}

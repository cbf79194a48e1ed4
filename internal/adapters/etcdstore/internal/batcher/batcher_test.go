package batcher_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/etcd"
)

const callTimeout = time.Minute

// fakeKV executes transactions after a delay of a second.
type fakeKV struct {
	clientv3.KV

	mu       sync.Mutex
	requests []int // transactions per request
	reject   error // of requests with several transactions
	hang     int   // requests with at least as many transactions take a minute; 0 for none
}

func (k *fakeKV) Txn(ctx context.Context) clientv3.Txn { return &fakeTxn{kv: k, ctx: ctx} }

type fakeTxn struct {
	kv  *fakeKV
	ctx context.Context
	ops []clientv3.Op
}

func (x *fakeTxn) If(...clientv3.Cmp) clientv3.Txn { return x }

func (x *fakeTxn) Then(ops ...clientv3.Op) clientv3.Txn {
	x.ops = ops
	return x
}

func (x *fakeTxn) Else(...clientv3.Op) clientv3.Txn { return x }

func (x *fakeTxn) Commit() (*clientv3.TxnResponse, error) {
	isBatch := len(x.ops) > 0 && x.ops[0].IsTxn()
	size := 1
	if isBatch {
		size = len(x.ops)
	}
	x.kv.mu.Lock()
	x.kv.requests = append(x.kv.requests, size)
	revision := int64(len(x.kv.requests))
	reject, took := x.kv.reject, time.Second
	if x.kv.hang > 0 && size >= x.kv.hang {
		took = time.Minute
	}
	x.kv.mu.Unlock()
	select {
	case <-time.After(took):
	case <-x.ctx.Done():
		return nil, x.ctx.Err()
	}
	if isBatch && reject != nil {
		return nil, reject
	}
	resp := &clientv3.TxnResponse{Header: &etcdserverpb.ResponseHeader{Revision: revision}, Succeeded: true}
	for range size {
		nested := &etcdserverpb.TxnResponse{Succeeded: true}
		resp.Responses = append(resp.Responses, &etcdserverpb.ResponseOp{Response: &etcdserverpb.ResponseOp_ResponseTxn{ResponseTxn: nested}})
	}
	return resp, nil
}

// fixture is a batcher on a fakeKV, with the results of its writes.
type fixture struct {
	*batcher.Batcher
	kv *fakeKV

	running sync.WaitGroup
	mu      sync.Mutex
	errs    []error
}

func newFixture(t *testing.T) *fixture {
	kv := &fakeKV{}
	client := etcd.NewClient(&clientv3.Client{KV: kv}, etcd.Options{CallTimeout: callTimeout, OperationTimeout: callTimeout})
	return &fixture{Batcher: batcher.New(t.Context(), client), kv: kv}
}

// send starts to send transactions, one after the other, and returns when all are sent or
// pending.
func (f *fixture) send(ctx context.Context, txns ...*batcher.Txn) {
	for _, txn := range txns {
		f.running.Go(func() {
			resp, err := f.Send(ctx, txn)
			if err == nil && (!resp.Succeeded || resp.Header.GetRevision() == 0) {
				err = fmt.Errorf("response %+v", resp)
			}
			f.mu.Lock()
			defer f.mu.Unlock()
			f.errs = append(f.errs, err)
		})
		synctest.Wait()
	}
}

// finish waits for all transactions and returns their errors.
func (f *fixture) finish() error {
	f.running.Wait()
	f.Close()
	return errors.Join(f.errs...)
}

// games returns a small transaction for each of n games.
func games(n int) []*batcher.Txn {
	var txns []*batcher.Txn
	for i := range n {
		txns = append(txns, &batcher.Txn{Game: fmt.Sprint("game-", i), Request: &etcdserverpb.TxnRequest{}, Bytes: 1000})
	}
	return txns
}

func TestSingleWriterHasNoDelay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		start := time.Now()
		for _, txn := range games(3) {
			_, err := f.Send(t.Context(), txn)
			require.NoError(t, err)
		}
		require.Equal(t, 3*time.Second, time.Since(start))
		require.Equal(t, []int{1, 1, 1}, f.kv.requests)
		require.NoError(t, f.finish())
	})
}

func TestPendingTransactionsAreBatched(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.send(t.Context(), games(50)...)
		require.NoError(t, f.finish())
		total := 0
		for _, size := range f.kv.requests {
			total += size
		}
		require.Equal(t, 50, total)
		require.Less(t, len(f.kv.requests), 10, "requests of sizes %v", f.kv.requests)
	})
}

func TestBatchContainsEachGameOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		same := &batcher.Txn{Game: "game", Request: &etcdserverpb.TxnRequest{}, Bytes: 1000}
		f.send(t.Context(), same, same, same, same, same, same, same, same)
		require.NoError(t, f.finish())
		require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1}, f.kv.requests)
	})
}

func TestBatchContainsEachSharedKeyOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		txns := games(8)
		for _, txn := range txns {
			txn.SharedKey = "key"
		}
		f.send(t.Context(), txns...)
		require.NoError(t, f.finish())
		require.Equal(t, []int{1, 1, 1, 1, 1, 1, 1, 1}, f.kv.requests)
	})
}

func TestBatchIsBoundedByBytes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		txns := games(40)
		for _, txn := range txns {
			txn.Bytes = 300 << 10
		}
		f.send(t.Context(), txns...)
		require.NoError(t, f.finish())
		for _, size := range f.kv.requests {
			require.LessOrEqual(t, size, 3, "of 300 KiB each")
		}
	})
}

func TestRejectedBatchIsSentOneByOne(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.kv.reject = rpctypes.ErrDuplicateKey
		f.send(t.Context(), games(30)...)
		require.NoError(t, f.finish())
	})
}

func TestAmbiguousBatchIsAmbiguousForEachTransaction(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.kv.reject = rpctypes.ErrTimeout
		f.send(t.Context(), games(30)...)
		require.ErrorIs(t, f.finish(), rpctypes.ErrTimeout)
		batched := 0
		for _, size := range f.kv.requests {
			if size > 1 {
				batched += size
			}
		}
		failed := 0
		for _, err := range f.errs {
			if err != nil {
				failed++
			}
		}
		require.Equal(t, batched, failed)
	})
}

func TestCanceledPendingTransactionIsNotSent(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		same := &batcher.Txn{Game: "game", Request: &etcdserverpb.TxnRequest{}, Bytes: 1000}
		f.send(t.Context(), games(4)...)
		f.send(t.Context(), same)
		ctx, cancel := context.WithCancel(t.Context())
		before := f.Pending()
		var err error
		f.running.Go(func() { _, err = f.Send(ctx, same) })
		synctest.Wait()
		require.Equal(t, before+1, f.Pending())
		cancel()
		synctest.Wait()
		require.ErrorIs(t, err, batcher.ErrNotSent)
		require.Equal(t, before, f.Pending())
		require.NoError(t, f.finish())
	})
}

// TestHungRequestDelaysNoOther hangs a large request. A transaction that waits while all other
// requests are in flight too is sent when the first of them returns, although the share of the large
// request is not pending.
func TestHungRequestDelaysNoOther(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		f := newFixture(t)
		f.kv.hang = 20
		txns := games(50)
		f.send(t.Context(), txns[:44]...) // four at once, and 40 in the next request
		time.Sleep(1500 * time.Millisecond)
		synctest.Wait()
		require.Zero(t, f.Pending())
		for _, txn := range txns[44:47] {
			f.send(t.Context(), txn)
			time.Sleep(100 * time.Millisecond) // until it is due
			synctest.Wait()
			require.Zero(t, f.Pending())
		}
		start := time.Now()
		_, err := f.Send(t.Context(), txns[47])
		require.NoError(t, err)
		require.Less(t, time.Since(start), 3*time.Second)
		require.NoError(t, f.finish())
	})
}

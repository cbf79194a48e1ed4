package batcher

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
)

// Bounds of batches.
const (
	// maxOperations keeps a batch within etcd's limit of 128 operations. etcd counts the outer
	// operations plus the longest list of any nested transaction. The longest list of most writes
	// is their compares: at most eight.
	maxOperations = 128
	// maxBatchBytes keeps within etcd's limit of 1.5 MiB per request.
	maxBatchBytes = 1 << 20
	// maxInFlight bounds the concurrent requests. More would make each batch smaller
	// without making any faster.
	maxInFlight = 4
	// maxBatchDelay is the longest that a transaction waits for a batch while a request may
	// be sent: a request that etcd does not respond to must not delay others.
	maxBatchDelay = 5 * time.Millisecond
)

// ErrNotSent is the error of a transaction that was not sent and never will be.
var ErrNotSent = errors.New("the write was not sent")

// Batcher combines concurrent transactions into batches. A transaction that finds no
// request in flight is sent at once, so a single writer has no delay. Under load a new
// request waits until about half the recent batch size is pending, or until a request
// returns; otherwise requests would be many and small.
//
// It is safe for concurrent use.
type Batcher struct {
	client *etcd.Client
	// ctx bounds requests with several transactions: no single caller may end them.
	ctx context.Context

	mu           sync.Mutex
	pending      []*pendingTxn // in the order of arrival
	inFlight     int
	avgBatchSize float64 // moving average

	flushers sync.WaitGroup
}

// pendingTxn is a transaction that waits for a batch and its response.
type pendingTxn struct {
	txn  *Txn
	done chan struct{} // closed once resp and err are set
	resp *clientv3.TxnResponse
	err  error
}

func (p *pendingTxn) complete(resp *clientv3.TxnResponse, err error) {
	p.resp, p.err = resp, err
	close(p.done)
}

// New returns a batcher whose batches end with ctx.
func New(ctx context.Context, client *etcd.Client) *Batcher {
	return &Batcher{client: client, ctx: ctx}
}

// Send makes one try to send the transaction and returns its own response. If ctx ends
// first, the error is ErrNotSent for a transaction that was not sent and never will be.
func (b *Batcher) Send(ctx context.Context, txn *Txn) (*clientv3.TxnResponse, error) {
	p := b.admit(txn)
	if p == nil {
		defer b.release()
		return txn.SendDirect(ctx, b.client)
	}
	b.flush(false)
	delay := time.NewTimer(maxBatchDelay)
	defer delay.Stop()
	for {
		select {
		case <-p.done:
			return p.resp, p.err
		case <-delay.C:
			b.flush(true)
		case <-ctx.Done():
			if b.cancelPending(p) {
				return nil, ErrNotSent
			}
			return nil, ctx.Err()
		}
	}
}

// Pending returns the number of transactions that wait for a batch.
func (b *Batcher) Pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending)
}

// Close waits for the requests in flight. No Send may be running or follow.
func (b *Batcher) Close() { b.flushers.Wait() }

// admit returns nil if the transaction may be sent at once, and otherwise adds it to the
// pending ones.
func (b *Batcher) admit(txn *Txn) *pendingTxn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight == 0 || b.inFlight < maxInFlight && b.minBatchSize() <= 1 && len(b.pending) == 0 {
		b.inFlight++
		b.recordBatchSize(1)
		return nil
	}
	p := &pendingTxn{txn: txn, done: make(chan struct{})}
	b.pending = append(b.pending, p)
	return p
}

// minBatchSize returns how many transactions must be pending to start another request
// while some are in flight. mu must be held.
func (b *Batcher) minBatchSize() int { return int(b.avgBatchSize / 2) }

// recordBatchSize updates the moving average. mu must be held.
func (b *Batcher) recordBatchSize(size int) { b.avgBatchSize += (float64(size) - b.avgBatchSize) / 4 }

// flush starts a request if one more may be in flight and enough transactions are pending.
// isDue waives the second condition.
func (b *Batcher) flush(isDue bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight == maxInFlight || len(b.pending) == 0 || !isDue && len(b.pending) < b.minBatchSize() {
		return
	}
	b.inFlight++
	if batch := b.popBatch(); len(batch) > 0 {
		b.flushers.Go(func() { b.flushLoop(batch) })
	}
}

// cancelPending removes a pending transaction. It returns false for one that has been sent.
func (b *Batcher) cancelPending(p *pendingTxn) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	i := slices.Index(b.pending, p)
	if i < 0 {
		return false
	}
	b.pending = slices.Delete(b.pending, i, i+1)
	return true
}

// release gives the place in flight of a direct request to pending transactions. A new
// goroutine sends them, because the caller has a response to return.
func (b *Batcher) release() {
	if batch := b.nextBatch(); len(batch) > 0 {
		b.flushers.Go(func() { b.flushLoop(batch) })
	}
}

// flushLoop sends batches for as long as enough transactions are pending.
func (b *Batcher) flushLoop(batch []*pendingTxn) {
	for len(batch) > 0 {
		b.commit(batch)
		batch = b.nextBatch()
	}
}

// nextBatch returns the batch that takes the place of a request that has returned. If too
// few transactions are pending, it returns none and gives up the place in flight: a request
// that is still in flight sends them when it returns.
func (b *Batcher) nextBatch() []*pendingTxn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.inFlight > 1 && len(b.pending) < b.minBatchSize() {
		b.inFlight--
		return nil
	}
	return b.popBatch()
}

// popBatch removes the next batch from the pending transactions, in the order of arrival:
// as many as the bounds allow, and each game and each shared key once. If none are pending, it
// gives up the place in flight and returns none. mu must be held.
func (b *Batcher) popBatch() []*pendingTxn {
	var batch, rest []*pendingTxn
	games, keys := map[string]bool{}, map[string]bool{}
	bytes, longest := 0, 0
	for _, p := range b.pending {
		operations := max(longest, p.txn.longestList())
		fits := len(batch) == 0 || len(batch)+1+operations <= maxOperations && bytes+p.txn.Bytes <= maxBatchBytes
		if !fits || games[p.txn.Game] || keys[p.txn.SharedKey] {
			rest = append(rest, p)
			continue
		}
		batch, longest = append(batch, p), operations
		games[p.txn.Game] = true
		keys[p.txn.SharedKey] = p.txn.SharedKey != ""
		bytes += p.txn.Bytes
	}
	b.pending = rest
	if len(batch) == 0 {
		b.inFlight--
	} else {
		b.recordBatchSize(len(batch))
	}
	return batch
}

// commit sends a batch in one request and completes each transaction with its own
// response. If etcd rejects the request, one of its transactions may be the reason, so each
// is then sent alone. If the outcome is ambiguous, it is so for each transaction.
func (b *Batcher) commit(batch []*pendingTxn) {
	if len(batch) == 1 {
		batch[0].complete(batch[0].txn.SendDirect(b.ctx, b.client))
		return
	}
	ops := make([]clientv3.Op, len(batch))
	for i, p := range batch {
		ops[i] = clientv3.OpTxn(p.txn.If, p.txn.Then, p.txn.Else)
	}
	resp, err := etcd.TryOnce(b.ctx, b.client, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return b.client.Raw.Txn(ctx).Then(ops...).Commit()
	})
	for i, p := range batch {
		switch {
		case err == nil:
			nested := (*clientv3.TxnResponse)(resp.Responses[i].GetResponseTxn())
			nested.Header = resp.Header // a nested response has none
			p.complete(nested, nil)
		case etcd.Classify(err) == etcd.Permanent:
			p.complete(p.txn.SendDirect(b.ctx, b.client))
		default:
			p.complete(nil, err)
		}
	}
}

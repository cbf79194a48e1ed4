package batcher

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
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
	// minDelay and maxDelay bound how long a transaction waits for others while a request may be
	// sent. In between it is half the recent response time of etcd: a request that etcd does not
	// respond to must not delay others for longer.
	minDelay, maxDelay = time.Millisecond, 50 * time.Millisecond
)

// ErrNotSent is the error of a transaction that was not sent and never will be.
var ErrNotSent = errors.New("the write was not sent")

// ErrBatchRejected is the error of a transaction whose batch etcd has rejected, although it may have
// applied it. The transaction alone might succeed: another one of the batch may be the reason.
var ErrBatchRejected = errors.New("etcd rejected the batch")

// Batcher combines concurrent transactions into batches. The transactions that are pending or
// in flight are how many arrive within one response time of etcd (Little's law), so each of
// the maxInFlight requests gets its share of them: a request is sent once its share is pending.
// That follows load and response time by itself. A single writer is alone in its request, and
// never waits.
//
// It is safe for concurrent use.
type Batcher struct {
	client *etcd.Client
	// ctx bounds requests with several transactions: no single caller may end them.
	ctx context.Context

	mu       sync.Mutex
	pending  []*pendingTxn // in the order of arrival
	requests int           // in flight
	inFlight int           // transactions of those requests
	// responseTime is the moving average of the duration of requests.
	responseTime time.Duration
	// delay sends the pending transactions that have waited for long enough. It is started when
	// transactions become pending. isOverdue means that it has ended and no request could be sent:
	// then the next one that can is.
	delay     *time.Timer
	isOverdue bool
	stats     Stats

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
	b := &Batcher{client: client, ctx: ctx}
	b.delay = time.AfterFunc(maxDelay, func() { b.flush(true) })
	return b
}

// Send makes one try to send the transaction and returns its own response. If ctx ends
// first, the error is ErrNotSent for a transaction that was not sent and never will be. An error that
// errors.Is ErrBatchRejected proves nothing about the transaction.
func (b *Batcher) Send(ctx context.Context, txn *Txn) (*clientv3.TxnResponse, error) {
	p := b.admit(txn)
	if p == nil {
		sentAt := time.Now()
		defer func() { b.release(time.Since(sentAt)) }()
		return txn.SendDirect(ctx, b.client)
	}
	b.flush(false)
	select {
	case <-p.done:
		return p.resp, p.err
	case <-ctx.Done():
		if b.cancelPending(p) {
			return nil, ErrNotSent
		}
		return nil, ctx.Err()
	}
}

// Pending returns the number of transactions that wait for a batch.
func (b *Batcher) Pending() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.pending)
}

// Close waits for the requests in flight. No Send may be running or follow.
func (b *Batcher) Close() {
	b.delay.Stop()
	b.flushers.Wait()
}

// admit returns nil if the transaction may be sent at once and alone, and otherwise adds it to
// the pending ones.
func (b *Batcher) admit(txn *Txn) *pendingTxn {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.pending) == 0 && (b.requests == 0 || b.requests < maxInFlight && b.share(1) <= 1) {
		b.begin(1)
		return nil
	}
	p := &pendingTxn{txn: txn, done: make(chan struct{})}
	b.pending = append(b.pending, p)
	if len(b.pending) == 1 {
		b.startDelay()
	}
	return p
}

// startDelay makes the pending transactions due after half a response time. mu must be held.
func (b *Batcher) startDelay() { b.delay.Reset(min(max(b.responseTime/2, minDelay), maxDelay)) }

// share returns how many transactions each request has when this number is pending: the same
// share of those that are pending or in flight. mu must be held.
func (b *Batcher) share(pending int) int {
	return (pending + b.inFlight + maxInFlight - 1) / maxInFlight
}

// begin and end count a request and its transactions. mu must be held.
func (b *Batcher) begin(size int) {
	b.requests++
	b.inFlight += size
	b.stats.add(size)
}

func (b *Batcher) end(size int, took time.Duration) {
	b.requests--
	b.inFlight -= size
	b.responseTime += (took - b.responseTime) / 8
}

// flush starts requests while one more may be in flight and its share is pending. isDue waives
// the second condition for the first one.
func (b *Batcher) flush(isDue bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for ; ; isDue = false {
		batch := b.nextBatch(isDue)
		if len(batch) == 0 {
			return
		}
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

// release ends a direct request and sends the transactions that are due. New goroutines send
// them, because the caller has a response to return.
func (b *Batcher) release(took time.Duration) {
	b.mu.Lock()
	b.end(1, took)
	b.mu.Unlock()
	b.flush(false)
}

// flushLoop sends batches for as long as enough transactions are pending.
func (b *Batcher) flushLoop(batch []*pendingTxn) {
	for len(batch) > 0 {
		sentAt := time.Now()
		b.commit(batch)
		b.mu.Lock()
		b.end(len(batch), time.Since(sentAt))
		batch = b.nextBatch(false)
		b.mu.Unlock()
	}
}

// nextBatch removes the next batch from the pending transactions and counts its request. It
// returns none if no request may be sent, or if its share is not pending and isDue is false:
// while no request is in flight, any transaction is due. mu must be held.
func (b *Batcher) nextBatch(isDue bool) []*pendingTxn {
	if b.requests == maxInFlight || len(b.pending) == 0 {
		b.isOverdue = len(b.pending) > 0 && (b.isOverdue || isDue)
		return nil
	}
	isDue, b.isOverdue = isDue || b.isOverdue, false
	share := b.share(len(b.pending))
	if !isDue && b.requests > 0 && len(b.pending) < share {
		return nil
	}
	size := share
	if b.requests == maxInFlight-1 {
		size = len(b.pending) // those that are left would wait for a response
	}
	batch := b.popBatch(size)
	b.begin(len(batch))
	if len(b.pending) > 0 {
		b.startDelay()
	}
	return batch
}

// popBatch removes up to size transactions from the pending ones, in the order of arrival: as
// many as the bounds allow, and each game and each shared key once. mu must be held.
func (b *Batcher) popBatch(size int) (batch []*pendingTxn) {
	games, keys := make(map[string]struct{}, size), map[string]struct{}{}
	bytes, longest := 0, 0
	rest := b.pending[:0]
	for i, p := range b.pending {
		if len(batch) == size {
			rest = append(rest, b.pending[i:]...)
			break
		}
		_, hasGame := games[p.txn.Game]
		_, hasKey := keys[p.txn.SharedKey]
		operations := max(longest, p.txn.longestList())
		fits := len(batch) == 0 || len(batch)+1+operations <= maxOperations && bytes+p.txn.Bytes <= maxBatchBytes
		if !fits || hasGame || hasKey {
			rest = append(rest, p)
			continue
		}
		batch, longest = append(batch, p), operations
		games[p.txn.Game] = struct{}{}
		if p.txn.SharedKey != "" {
			keys[p.txn.SharedKey] = struct{}{}
		}
		bytes += p.txn.Bytes
	}
	clear(b.pending[len(rest):])
	b.pending = rest
	return batch
}

// commit sends a batch in one request and completes each transaction with its own
// response. If etcd rejects the request, one of its transactions may be the reason, so each
// is then sent alone, unless etcd may have applied them. If the outcome is ambiguous, it is so for
// each transaction.
func (b *Batcher) commit(batch []*pendingTxn) {
	if len(batch) == 1 {
		batch[0].complete(batch[0].txn.SendDirect(b.ctx, b.client))
		return
	}
	request := &pb.TxnRequest{Success: make([]*pb.RequestOp, len(batch))}
	for i, p := range batch {
		request.Success[i] = etcd.TxnOp(p.txn.Request)
	}
	resp, err := etcd.TryOnce(b.ctx, b.client, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return b.client.SendTxn(ctx, request)
	})
	for i, p := range batch {
		switch {
		case err == nil:
			nested := (*clientv3.TxnResponse)(resp.Responses[i].GetResponseTxn())
			nested.Header = resp.Header // a nested response has none
			if planted.Is(planted.FalseBatchSuccess) {
				nested.Succeeded = true
			}
			p.complete(nested, nil)
		case etcd.MayHaveApplied(err):
			p.complete(nil, fmt.Errorf("%w: %w", ErrBatchRejected, err))
		case etcd.Classify(err) == etcd.Permanent:
			p.complete(p.txn.SendDirect(b.ctx, b.client))
		default:
			p.complete(nil, err)
		}
	}
}

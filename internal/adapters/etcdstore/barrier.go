package etcdstore

import (
	"context"
	"sync"

	"galaxy/rtmanager/internal/etcd"
)

// barrier gives readers a revision that is not older than any write that was
// acknowledged before they came. All who wait at the same moment share one
// consistent read of etcd; who comes while one is under way waits for the next,
// since what that one will say may be older than what the newcomer has seen.
//
// A barrier is safe for concurrent use.
type barrier struct {
	store *Store

	mu      sync.Mutex
	next    *round // that has not begun; nil where nobody waits
	running bool
	closed  bool
	rounds  sync.WaitGroup
}

// round is one consistent read and those who wait for it.
type round struct {
	done     chan struct{} // closed once revision and err are set
	waiting  int           // how many wait for it
	revision int64
	err      error
}

// wait returns etcd's revision by a read that begins after the call. The error is
// that of the one try, or why ctx ended.
func (b *barrier) wait(ctx context.Context) (int64, error) {
	r := b.join()
	if r == nil {
		return 0, errClosed
	}
	select {
	case <-r.done:
		return r.revision, r.err
	case <-ctx.Done():
		return 0, etcd.ContextError(ctx)
	}
}

// join returns the round that has not begun, nil once the barrier is closed.
func (b *barrier) join() *round {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed {
		return nil
	}
	if b.next == nil {
		b.next = &round{done: make(chan struct{})}
	}
	if !b.running {
		b.running = true
		b.rounds.Go(b.run)
	}
	b.next.waiting++
	return b.next
}

// run makes rounds until nobody waits.
func (b *barrier) run() {
	for r := b.begin(); r != nil; r = b.begin() {
		cached := b.store.cachedUpTo()
		r.revision, r.err = b.store.head(b.store.life.Context())
		if r.err == nil && r.revision < cached {
			r.err = etcd.RegressionError(r.revision, cached)
			b.store.feed.distrust(r.err)
		}
		close(r.done)
	}
}

// begin takes the waiting round, which nobody can join any more. It returns nil,
// and gives up running, where there is none.
func (b *barrier) begin() *round {
	b.mu.Lock()
	defer b.mu.Unlock()
	r := b.next
	b.next, b.running = nil, r != nil
	return r
}

// close ends the barrier and waits for rounds under way.
func (b *barrier) close() {
	b.mu.Lock()
	b.closed = true
	b.mu.Unlock()
	b.rounds.Wait()
}

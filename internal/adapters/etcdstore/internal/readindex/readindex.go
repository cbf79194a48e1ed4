// Package readindex gives linearizable readers a revision to wait for, at the price of one
// read of etcd for many of them, as etcd's own ReadIndex does for its log.
package readindex

import (
	"context"
	"runtime"
	"sync"

	"galaxy/rtmanager/internal/etcd"
)

// ReadIndexer returns revisions that are at least as new as every write acknowledged before
// the call. Concurrent callers share one linearizable read. A caller that arrives during a
// read waits for the next one, because the read in progress may return a revision that is
// older than what the caller has seen.
//
// It is safe for concurrent use.
type ReadIndexer struct {
	// read returns etcd's revision by one linearizable read.
	read func(ctx context.Context) (int64, error)
	ctx  context.Context // bounds the reads, which no single caller may end

	mu        sync.Mutex
	next      *request // not sent yet; nil if no caller waits for it
	isRunning bool
	isClosed  bool
	running   sync.WaitGroup
}

// request is one read and its callers.
type request struct {
	done     chan struct{} // closed once revision and err are set
	waiters  int
	revision int64
	err      error
}

// New returns a ReadIndexer that calls read under ctx, one call at a time.
func New(ctx context.Context, read func(ctx context.Context) (int64, error)) *ReadIndexer {
	return &ReadIndexer{ctx: ctx, read: read}
}

// CurrentRevision returns etcd's revision by a read that starts after the call. The error
// is that of the one read, or why ctx ended.
func (x *ReadIndexer) CurrentRevision(ctx context.Context) (int64, error) {
	r := x.enqueue()
	if r == nil {
		return 0, etcd.ErrClosed
	}
	select {
	case <-r.done:
		return r.revision, r.err
	case <-ctx.Done():
		return 0, etcd.ContextError(ctx)
	}
}

// Waiters returns how many callers wait for a read that has not been sent.
func (x *ReadIndexer) Waiters() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.next == nil {
		return 0
	}
	return x.next.waiters
}

// Close rejects further calls and waits for the read in progress, which ends with the ctx
// of New.
func (x *ReadIndexer) Close() {
	x.mu.Lock()
	x.isClosed = true
	x.mu.Unlock()
	x.running.Wait()
}

// enqueue adds a caller to the next request and returns it, nil after Close.
func (x *ReadIndexer) enqueue() *request {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.isClosed {
		return nil
	}
	if x.next == nil {
		x.next = &request{done: make(chan struct{})}
	}
	if !x.isRunning {
		x.isRunning = true
		x.running.Go(x.run)
	}
	x.next.waiters++
	return x.next
}

// run sends requests until no caller waits. Before each one it lets the callers run that can: those
// of the last response are about to call once more, and the first of them would otherwise have a read
// of its own for which all others wait.
func (x *ReadIndexer) run() {
	for {
		runtime.Gosched()
		r := x.takePending()
		if r == nil {
			return
		}
		r.revision, r.err = x.read(x.ctx)
		close(r.done)
	}
}

// takePending returns the next request, which no further caller can join. If there is none,
// it returns nil and run ends.
func (x *ReadIndexer) takePending() *request {
	x.mu.Lock()
	defer x.mu.Unlock()
	r := x.next
	x.next, x.isRunning = nil, r != nil
	return r
}

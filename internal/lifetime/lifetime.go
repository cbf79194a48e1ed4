// Package lifetime bounds the calls of a component by the life of the component:
// every call ends when its caller's context ends or when the component closes, and
// closing waits for the calls that are in progress.
package lifetime

import (
	"context"
	"sync"
)

// Lifetime is the life of one component. Its methods are safe for concurrent use.
type Lifetime struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	mu     sync.Mutex // orders Begin and Close
	calls  sync.WaitGroup
}

// New returns a lifetime that lasts until Close. It takes values from parent, but
// does not end with it.
func New(parent context.Context) *Lifetime {
	l := &Lifetime{}
	l.ctx, l.cancel = context.WithCancelCause(context.WithoutCancel(parent))
	return l
}

// Context returns a context that ends with the lifetime. Its cause is the one that was
// passed to Close.
func (l *Lifetime) Context() context.Context { return l.ctx }

// Begin starts a call. The returned context ends with ctx or with the lifetime, then
// with the cause that was passed to Close. The caller must call end when the call has
// returned. After Close, Begin fails with that cause.
func (l *Lifetime) Begin(ctx context.Context) (bound context.Context, end func(), err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ctx.Err() != nil {
		return nil, nil, context.Cause(l.ctx)
	}
	l.calls.Add(1)
	bound, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.ctx, func() { cancel(context.Cause(l.ctx)) })
	return bound, func() {
		stop()
		cancel(context.Canceled)
		l.calls.Done()
	}, nil
}

// Close ends the lifetime with the cause and waits for the calls in progress. Only
// the first cause counts; every Close waits.
func (l *Lifetime) Close(cause error) {
	l.mu.Lock()
	l.cancel(cause)
	l.mu.Unlock()
	l.calls.Wait()
}

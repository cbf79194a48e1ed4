package etcd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/cenkalti/backoff/v5"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// TryOnce makes one request under a timeout. The error is that of the etcd client.
//
// The timeout is CallTimeout, or less while another endpoint could serve a second try: then
// a hung member costs a second and not the whole CallTimeout. It doubles after a try that
// timed out, so that a caller that repeats the request succeeds with a slow etcd as well.
func TryOnce[T any](ctx context.Context, c *Client, call func(ctx context.Context) (T, error)) (T, error) {
	return tryOnce(ctx, c, &c.writes, call)
}

func tryOnce[T any](ctx context.Context, c *Client, t *timeouts, call func(ctx context.Context) (T, error)) (T, error) {
	timeout, doublings := t.next(c.roundTrip(), c.hasAlternative())
	tryCtx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	started := time.Now()
	result, err := call(tryCtx)
	switch {
	case err == nil:
		t.succeeded(time.Since(started))
	case tryCtx.Err() != nil && ctx.Err() == nil:
		t.timedOut(doublings)
		err = fmt.Errorf("etcd did not respond within %s: %w", timeout, err)
	}
	return result, err
}

// RetryRead repeats a request until etcd gives a definite response, ctx ends, or
// OperationTimeout has passed. call may run several times, each time under the timeout
// of TryOnce, so it must be idempotent. The error is the domain's.
func RetryRead[T any](ctx context.Context, c *Client, call func(ctx context.Context) (T, error)) (T, error) {
	var none T
	ctx, cancel := c.WithOperationTimeout(ctx)
	defer cancel()
	backoff := NewBackoff()
	for {
		seen := c.seenRevision()
		resp, err := tryOnce(ctx, c, &c.reads, call)
		if err == nil {
			return resp, c.checkResponse(resp, seen)
		}
		if Classify(err) == Permanent {
			return none, ToDomainError(err)
		}
		if !backoff.WaitAfter(ctx, err) {
			return none, UnavailableError(ctx, err)
		}
		c.opts.Logger.Debug("etcd did not respond to a read; retrying", "error", err)
	}
}

// maxCompactionRetries is how often RetryOnCompaction calls read at most.
const maxCompactionRetries = 8

// RetryOnCompaction calls a read that takes several requests at one revision, which it
// selects itself. If that revision is compacted in the meantime, it repeats the read with
// backoff, at a newer revision. The scans of a repeated read have larger pages.
func RetryOnCompaction[T any](ctx context.Context, read func(ctx context.Context) (T, error)) (T, error) {
	backoff := NewBackoff()
	for try := 1; ; try++ {
		result, err := read(ctx)
		if !errors.Is(err, runtime.ErrCompacted) {
			return result, err
		}
		reason := fmt.Sprintf("its revision was compacted before it was read completely, %d times; compact etcd less often", try)
		if try == maxCompactionRetries {
			return result, &runtime.UnavailableError{Reason: reason}
		}
		if !backoff.Wait(ctx) {
			return result, fmt.Errorf("%w: %w", &runtime.UnavailableError{Reason: reason}, ContextError(ctx))
		}
	}
}

// Bounds of the delay between two tries.
const (
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = time.Second
)

// noLeaderTimeout is how long a request waits for the election of a leader. Without a quorum
// there is none, and the caller is informed of that instead of waiting for its own timeout. The members
// of a cluster with round trips of 150 ms elect a leader within 3 s.
const noLeaderTimeout = 10 * time.Second

// Backoff delays the tries of one request, each longer than the one before.
type Backoff struct {
	delays  *backoff.ExponentialBackOff // nil before the first delay: most requests need none
	started time.Time
}

// NewBackoff returns a backoff whose first delay is the shortest.
func NewBackoff() *Backoff { return &Backoff{started: time.Now()} }

// Wait waits for the next delay. It returns false at once when ctx ends.
func (b *Backoff) Wait(ctx context.Context) bool {
	if b.delays == nil {
		b.delays = backoff.NewExponentialBackOff()
		b.delays.InitialInterval = minRetryDelay
		b.delays.MaxInterval = maxRetryDelay
	}
	return wait.For(ctx, b.delays.NextBackOff()) == nil
}

// WaitAfter is Wait after a try with the error. It also returns false if the error is that of a
// member without a leader and the request has lasted for 10 s.
func (b *Backoff) WaitAfter(ctx context.Context, failure error) bool {
	if errors.Is(failure, rpctypes.ErrNoLeader) && time.Since(b.started) >= noLeaderTimeout {
		return false
	}
	return b.Wait(ctx)
}

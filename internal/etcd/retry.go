package etcd

import (
	"context"
	"errors"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// TryOnce makes one request under the client's CallTimeout. The error is that of the
// etcd client.
func TryOnce[T any](ctx context.Context, c *Client, call func(ctx context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.CallTimeout)
	defer cancel()
	return call(ctx)
}

// RetryRead repeats a request until etcd gives a definite response, ctx ends, or
// OperationTimeout has passed. call may run several times, each time under
// CallTimeout, so it must be idempotent. The error is the domain's.
func RetryRead[T any](ctx context.Context, c *Client, call func(ctx context.Context) (T, error)) (T, error) {
	var none T
	ctx, cancel := c.WithOperationTimeout(ctx)
	defer cancel()
	backoff := NewBackoff()
	for {
		seen := c.seenRevision()
		resp, err := TryOnce(ctx, c, call)
		if err == nil {
			return resp, c.checkResponse(resp, seen)
		}
		if Classify(err) == Permanent {
			return none, ToDomainError(err)
		}
		if !backoff.Wait(ctx) {
			return none, UnavailableError(ctx, err)
		}
		c.opts.Logger.Debug("etcd did not respond to a read; retrying", "error", err)
	}
}

// maxCompactionRetries is how often RetryOnCompaction calls read at most.
const maxCompactionRetries = 5

// RetryOnCompaction calls a read that takes several requests at one revision, which it
// selects itself. If that revision is compacted in the meantime, it repeats the read with
// backoff, at a newer revision.
func RetryOnCompaction[T any](ctx context.Context, read func(ctx context.Context) (T, error)) (T, error) {
	backoff := NewBackoff()
	for try := 1; ; try++ {
		result, err := read(ctx)
		if !errors.Is(err, runtime.ErrCompacted) {
			return result, err
		}
		if try == maxCompactionRetries || !backoff.Wait(ctx) {
			return result, UnavailableError(ctx, err)
		}
	}
}

// Bounds of the delay between two tries.
const (
	minRetryDelay = 5 * time.Millisecond
	maxRetryDelay = time.Second
)

// Backoff delays the tries of one request, each longer than the one before.
type Backoff struct{ delays *backoff.ExponentialBackOff }

// NewBackoff returns a backoff whose first delay is the shortest.
func NewBackoff() Backoff {
	delays := backoff.NewExponentialBackOff()
	delays.InitialInterval = minRetryDelay
	delays.MaxInterval = maxRetryDelay
	return Backoff{delays: delays}
}

// Wait waits for the next delay. It returns false at once when ctx ends.
func (b Backoff) Wait(ctx context.Context) bool {
	return wait.For(ctx, b.delays.NextBackOff()) == nil
}

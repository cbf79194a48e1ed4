package etcd

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/domain/runtime"
)

// ErrNotSent is the error of a request that no member of etcd has received.
var ErrNotSent = errors.New("the request was not sent to etcd")

// Causes of contexts that this program ended by itself, not the caller.
var (
	// ErrOperationTimeout is the cause of a context that OperationTimeout ended.
	ErrOperationTimeout = errors.New("etcd did not respond in time")
	// ErrClosed is the cause of a context that ended because its component was closed.
	ErrClosed = errors.New("closed")
)

// ToDomainError translates a permanent error of the etcd client.
func ToDomainError(err error) error {
	switch {
	case errors.Is(err, rpctypes.ErrNoSpace):
		return fmt.Errorf("%w: free space on the disk of etcd; at its quota, compact and defragment etcd and disarm its alarm, or raise the quota", runtime.ErrReadOnly)
	case errors.Is(err, rpctypes.ErrCompacted):
		return runtime.ErrCompacted
	case errors.Is(err, rpctypes.ErrFutureRev):
		return runtime.ErrForeignRevision
	default:
		return fmt.Errorf("etcd rejected the request: %w", err)
	}
}

// WriteError translates the error of a write that was tried once under ctx: a permanent error as ToDomainError,
// one that leaves the outcome open to runtime.ErrOutcomeUnknown, and others as UnavailableError.
func WriteError(ctx context.Context, err error) error {
	switch Classify(err) {
	case Permanent:
		return ToDomainError(err)
	case Ambiguous:
		return fmt.Errorf("%w: %w", runtime.ErrOutcomeUnknown, UnavailableError(ctx, err))
	default:
		return UnavailableError(ctx, err)
	}
}

// ContextError returns why ctx ended: its error, which callers test for, together with
// its cause if that is another error. For a context that this program ended by itself, it
// returns only the cause.
func ContextError(ctx context.Context) error {
	cause := context.Cause(ctx)
	if isOwnCause(cause) || errors.Is(cause, ctx.Err()) {
		return cause
	}
	return fmt.Errorf("%w: %w", ctx.Err(), cause)
}

// isOwnCause reports whether this program ended a context with that cause by itself.
func isOwnCause(cause error) bool {
	return errors.Is(cause, ErrOperationTimeout) || errors.Is(cause, ErrClosed)
}

// UnavailableError returns the error of an operation that ended before etcd responded. It
// is the error of ctx if the caller ended ctx, and otherwise runtime.ErrUnavailable. last
// is the error of the last attempt. It is included as text only: the timeout of a single
// request has the same error as the deadline of the caller.
func UnavailableError(ctx context.Context, last error) error {
	if ctx.Err() == nil {
		if errors.Is(last, rpctypes.ErrNoLeader) {
			return fmt.Errorf("%w: etcd has no leader: a majority of its members must run and reach each other", runtime.ErrUnavailable)
		}
		return fmt.Errorf("%w: %s", runtime.ErrUnavailable, last.Error())
	}
	end := ContextError(ctx)
	if isOwnCause(end) {
		return fmt.Errorf("%w: %w: last try: %s", runtime.ErrUnavailable, end, last.Error())
	}
	if text := last.Error(); text != end.Error() {
		return fmt.Errorf("%w: last try: %s", end, text)
	}
	return end
}

package etcdmembers

import (
	"context"
	"errors"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/domain/runtime"
)

// hedge makes an idempotent request, and repeats it until one attempt succeeds, one fails
// for good, or ctx ends. An attempt without a response is not canceled when the next one
// starts: it may be slow rather than lost. The client selects another endpoint for each
// attempt, so a member that hangs costs one delay.
//
// The next attempt starts after delay, and an eighth of it after an error. Each delay is
// twice the one before, up to maxDelay. The technique is the hedged request of Dean and
// Barroso, "The Tail at Scale".
//
// It returns the first success or the last error, which is not translated.
func hedge[T any](ctx context.Context, delay, maxDelay time.Duration, call func(ctx context.Context) (T, error)) (T, error) {
	type response struct {
		value T
		err   error
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	responses := make(chan response)
	attempt := func() {
		value, err := call(ctx)
		select {
		case responses <- response{value, err}:
		case <-ctx.Done():
		}
	}
	timer := time.NewTimer(0)
	defer timer.Stop()
	var last response
	for {
		select {
		case <-timer.C:
			go attempt()
			timer.Reset(delay)
			delay = min(2*delay, maxDelay)
		case last = <-responses:
			if last.err == nil || isDefinite(last.err) {
				return last.value, last.err
			}
			timer.Reset(delay / 8)
			delay = min(2*delay, maxDelay)
		case <-ctx.Done():
			if last.err == nil {
				last.err = ctx.Err()
			}
			return last.value, last.err
		}
	}
}

// isDefinite reports whether another attempt would fail as well.
func isDefinite(err error) bool {
	return isPermanent(err) || isLeaseNotFound(err) || errors.Is(err, rpctypes.ErrNoSpace) || errors.Is(err, runtime.ErrIncompatible) || errors.Is(err, errLostRace)
}

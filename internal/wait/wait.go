// Package wait waits for a duration or the end of a context, and adds jitter to durations.
package wait

import (
	"context"
	"math/rand/v2"
	"time"
)

// For waits for d. It returns the context's cause if ctx ends first.
func For(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Jittered returns a random duration of d plus or minus a fifth, so that the loops of
// several daemons do not run in lockstep.
func Jittered(d time.Duration) time.Duration {
	spread := d / 5
	return d - spread + rand.N(2*spread+1)
}

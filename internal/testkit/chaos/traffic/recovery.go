package traffic

import (
	"context"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// RequireRecovery makes every client but leaders continue after StopCalls until it has seen its calls succeed once
// more, or the timeout is over. Watchers receive without pauses from now on. The last fault must be repaired.
func (t *Traffic) RequireRecovery(timeout time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stable = t.record.Now()
	t.recovery, t.stopRecovery = context.WithTimeout(context.Background(), timeout)
}

// recoveryContext returns the context of calls after StopCalls and the time since when they must succeed, false if
// that is not required.
func (t *Traffic) recoveryContext() (ctx context.Context, since int64, isRequired bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.recovery, t.stable, t.recovery != nil
}

// isStable reports whether the last fault was repaired.
func (t *Traffic) isStable() bool {
	_, _, isRequired := t.recoveryContext()
	return isRequired
}

// decisions are when a client made its last call of each kind that was decided. A local read shows nothing about
// etcd, so it is of no kind.
type decisions struct{ read, write int64 }

// add notes a call that has returned.
func (d *decisions) add(call *recording.Call) {
	switch isDecided := call.Outcome != recording.Unknown && call.Outcome != recording.Unavailable; {
	case !isDecided || call.Local:
	case call.Method.IsWrite():
		d.write = call.Started
	default:
		d.read = call.Started
	}
}

// confirmRecovery makes calls after the end of the traffic, until the client has seen each of its kinds succeed.
func (c *client) confirmRecovery() {
	ctx, since, isRequired := c.t.recoveryContext()
	if !isRequired {
		return
	}
	needs := func(isWrite bool) bool {
		if isWrite {
			return !c.isReader && c.decided.write < since
		}
		return !c.isInBursts && c.decided.read < since
	}
	for (needs(true) || needs(false)) && pause(ctx, c.rng, c.t.cfg.Pause) {
		call := c.choose()
		for call.Local || !needs(call.Method.IsWrite()) {
			call = c.choose()
		}
		c.do(ctx, &call)
	}
}

// confirmRecovery makes operations after the end of the traffic, until one succeeds.
func (o *operator) confirmRecovery() {
	ctx, since, isRequired := o.t.recoveryContext()
	for isRequired && o.decided.write < since && pause(ctx, o.rng, 10*o.t.cfg.Pause) {
		call := o.choose()
		o.do(ctx, &call)
	}
}

// AwaitWatchers waits until every watcher has the changes up to the revision, or ctx ends. It returns the watchers
// that do not, with the revision that each has.
func (t *Traffic) AwaitWatchers(ctx context.Context, revision int64) []string {
	for {
		late := t.lateWatchers(revision)
		if len(late) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			return late
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (t *Traffic) lateWatchers(revision int64) (late []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for watcher, position := range t.positions {
		if position < revision {
			late = append(late, fmt.Sprintf("%s has revision %d of %d", watcher, position, revision))
		}
	}
	slices.Sort(late)
	return late
}

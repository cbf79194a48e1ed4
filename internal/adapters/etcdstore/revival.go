package etcdstore

import (
	"context"
	"errors"
	"time"

	"galaxy/rtmanager/internal/etcd"
)

// maxSilence bounds how far an upstream's silence may grow, in ProbeIntervals.
const maxSilence = 32

// revival is what a broken upstream leaves to the one that replaces it.
type revival struct {
	store *Store
	// pause spaces attempts to open a broken upstream; healthy tells that the
	// last one has been heard of.
	pause   etcd.Backoff
	healthy bool
	// silence is how long an upstream may say nothing. It grows while it proves
	// too short: etcd reads all history behind the position before it says the
	// first word, and reads it again for whoever asks again.
	silence time.Duration
}

func newRevival(s *Store) revival {
	return revival{store: s, pause: etcd.NewBackoff(), silence: s.opts.ProbeInterval}
}

// heard notes that the upstream has answered.
func (r *revival) heard(up *upstream, events int) {
	if up.asked {
		return
	}
	r.pause, r.healthy = etcd.NewBackoff(), true
	if events == 0 { // it has caught up
		r.silence, up.silence = r.store.opts.ProbeInterval, r.store.opts.ProbeInterval
	}
}

// wait passes the time that a broken upstream is left alone before another is
// opened. It returns false when ctx ends first.
func (r *revival) wait(ctx context.Context, position int64, broken error) bool {
	if r.healthy {
		r.store.log.Warn("watch of etcd broke; opening it again", "revision", position, "error", broken)
	}
	r.healthy = false
	if errors.Is(broken, errSilent) {
		r.silence = min(2*r.silence, maxSilence*r.store.opts.ProbeInterval)
	}
	return r.pause.Wait(ctx)
}

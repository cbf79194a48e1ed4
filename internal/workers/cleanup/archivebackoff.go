package cleanup

import "time"

// maxArchiveBackoff bounds the time between two attempts to archive games.
const maxArchiveBackoff = 10 * time.Minute

// archiveBackoff delays deletions while the archive does not accept games. The zero value delays
// none.
type archiveBackoff struct {
	delay time.Duration
	until time.Time
}

// isActive reports whether deletions are delayed at the time now.
func (b *archiveBackoff) isActive(now time.Time) bool { return now.Before(b.until) }

// update doubles the delay after a failure, from the interval of the passes to maxArchiveBackoff,
// and ends it after a pass without one.
func (b *archiveBackoff) update(now time.Time, interval time.Duration, hasFailed bool) {
	if !hasFailed {
		*b = archiveBackoff{}
		return
	}
	b.delay = min(max(2*b.delay, interval), maxArchiveBackoff)
	b.until = now.Add(b.delay)
}

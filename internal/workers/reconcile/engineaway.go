package reconcile

import (
	"sync"
	"time"
)

// engineAwayGrace is how long the engine must not respond before the health of its games is
// unknown. Every game costs a write then, so a restart of the engine should cost none.
const engineAwayGrace = 10 * time.Second

// engineAbsence measures how long the engine has not responded. It is safe for concurrent use. The
// zero value is an engine that responds.
type engineAbsence struct {
	mu    sync.Mutex
	since time.Time // of the first error in a row; zero for none
}

// record records the result of a request for the containers at the time now.
func (a *engineAbsence) record(err error, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case err == nil:
		a.since = time.Time{}
	case a.since.IsZero():
		a.since = now
	}
}

// isAway reports whether the engine has not responded for engineAwayGrace at the time now.
func (a *engineAbsence) isAway(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return !a.since.IsZero() && now.Sub(a.since) >= engineAwayGrace
}

package lifecycle_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// healthSwitch is a prober by which games are healthy while it is on.
type healthSwitch struct{ on atomic.Bool }

// Probe implements ports.HealthProber.
func (h *healthSwitch) Probe(context.Context, operation.HealthTarget) error {
	if h.on.Load() {
		return nil
	}
	return errors.New("switched off by the test")
}

// steppedClock is a clock that the test advances.
type steppedClock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func newSteppedClock() *steppedClock { return &steppedClock{at: time.Now()} }

func (c *steppedClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *steppedClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

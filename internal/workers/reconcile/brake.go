package reconcile

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
)

// brake holds back what takes records or containers away when too many are about
// to go at once: then the engine's word is more likely to be wrong than so many
// games to be gone. It stays until it is released.
type brake struct {
	mu      sync.Mutex
	cfg     Config
	log     *slog.Logger
	on      *drift.Brake
	running int                  // at the latest pass
	taken   map[string]time.Time // the games that were let through lately, and when last
	free    time.Time            // until then, somebody has said that it is right
}

const (
	// fewest is how many games have to lose something in one pass for the share to
	// count: one alone is gone for a reason of its own.
	fewest = 2
	// fewestEvents is the same for what is let through between passes, one by one,
	// within brakeWindow.
	fewestEvents = 5
	brakeWindow  = time.Minute
	// releaseFor is how long a release lasts.
	releaseFor = time.Minute
)

func newBrake(cfg Config) *brake {
	return &brake{cfg: cfg, log: cfg.Logger, taken: map[string]time.Time{}}
}

// tooMany reports whether so many games must not lose something in one pass.
func (b *brake) tooMany(running, losing int) bool {
	return losing >= fewest && float64(losing) > b.cfg.BrakeShare*float64(running)
}

// weigh sets the brake if a pass found too many games with something to lose.
func (b *brake) weigh(running, losing int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = running
	if b.tooMany(running, losing) {
		b.set(fmt.Sprintf("one pass would take away records or containers of %d games while %d are said to run", losing, running))
	}
}

// put sets the brake for a reason that is no matter of numbers.
func (b *brake) put(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.set(reason)
}

func (b *brake) set(reason string) {
	if b.on != nil || b.cfg.Clock().Before(b.free) {
		return
	}
	b.on = &drift.Brake{Region: b.cfg.Region, Node: b.cfg.Node, Since: b.cfg.Clock().UTC(), Reason: reason}
	b.log.Error("the brake is on: nothing is taken away until it is released", "reason", reason)
}

// allows reports whether something may be taken away from the game now, and counts
// the game: one whose removal is tried again and again counts once.
func (b *brake) allows(gameID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Clock()
	if b.on != nil {
		return false
	}
	maps.DeleteFunc(b.taken, func(_ string, at time.Time) bool { return now.Sub(at) > brakeWindow })
	n := len(b.taken)
	if _, counted := b.taken[gameID]; !counted {
		n++
	}
	if n > fewestEvents && float64(n) > b.cfg.BrakeShare*float64(b.running) {
		b.set(fmt.Sprintf("records or containers of %d games would have been taken away within %s while %d are said to run", n, brakeWindow, b.running))
		if b.on != nil {
			return false
		}
	}
	b.taken[gameID] = now
	return true
}

// held returns the brake that is on, or nil.
func (b *brake) held() *drift.Brake {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.on == nil {
		return nil
	}
	copied := *b.on
	return &copied
}

// released reports whether somebody has said lately that what is found is right.
func (b *brake) released() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Clock().Before(b.free)
}

// release takes the brake off, and keeps it off for long enough to act on what it
// held back.
func (b *brake) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.on, b.free = nil, b.cfg.Clock().Add(releaseFor)
	clear(b.taken)
}

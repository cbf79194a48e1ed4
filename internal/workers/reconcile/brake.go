package reconcile

import (
	"fmt"
	"log/slog"
	"maps"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
)

// brake is a circuit breaker. It blocks the removal of records and containers when too
// many games would be affected at once: then the engine is more likely faulty than the
// games are lost. It stays engaged until it is released.
type brake struct {
	cfg Config
	log *slog.Logger

	mu             sync.Mutex // guards the fields below
	engaged        *drift.Brake
	running        int                  // running games at the latest pass
	recentRemovals map[string]time.Time // by game, the time of the latest removal within removalWindow
	releasedUntil  time.Time
}

const (
	// minAffectedGames is the number of affected games in one pass from which on the share
	// is evaluated: the loss of a single game is no evidence of a faulty engine.
	minAffectedGames = 2
	// minRecentRemovals is the number of games with removals within removalWindow above
	// which the share is evaluated.
	minRecentRemovals = 5
	removalWindow     = time.Minute
	// releaseDuration is how long a release lasts.
	releaseDuration = time.Minute
)

func newBrake(cfg Config) *brake {
	return &brake{cfg: cfg, log: cfg.Logger, recentRemovals: map[string]time.Time{}}
}

// isShareExceeded reports whether the number of affected games in one pass engages the
// brake.
func (b *brake) isShareExceeded(running, affected int) bool {
	return affected >= minAffectedGames && float64(affected) > b.cfg.BrakeShare*float64(running)
}

// evaluate engages the brake if a pass would affect too many games.
func (b *brake) evaluate(running, affected int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.running = running
	if b.isShareExceeded(running, affected) {
		b.engageLocked(fmt.Sprintf("one pass would remove records or containers of %d games while %d games are running", affected, running))
	}
}

// engage engages the brake for another reason than the number of games.
func (b *brake) engage(reason string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.engageLocked(reason)
}

// engageLocked does nothing while the brake is engaged or was released recently. mu must
// be held.
func (b *brake) engageLocked(reason string) {
	if b.engaged != nil || b.cfg.Clock().Before(b.releasedUntil) {
		return
	}
	b.engaged = &drift.Brake{Region: b.cfg.Region, Node: b.cfg.Node, Since: b.cfg.Clock().UTC(), Reason: reason}
	b.log.Error("brake engaged: nothing is removed until it is released", "reason", reason)
}

// admitRemoval reports whether a record or container of the game may be removed now. It
// records the removal if it admits it, and otherwise engages the brake. Repeated attempts
// on one game count once.
func (b *brake) admitRemoval(gameID string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.cfg.Clock()
	if b.engaged != nil {
		return false
	}
	maps.DeleteFunc(b.recentRemovals, func(_ string, at time.Time) bool { return now.Sub(at) > removalWindow })
	n := len(b.recentRemovals)
	if _, counted := b.recentRemovals[gameID]; !counted {
		n++
	}
	if n > minRecentRemovals && float64(n) > b.cfg.BrakeShare*float64(b.running) {
		b.engageLocked(fmt.Sprintf("records or containers of %d games would be removed within %s while %d games are running", n, removalWindow, b.running))
		if b.engaged != nil {
			return false
		}
	}
	b.recentRemovals[gameID] = now
	return true
}

// state returns the engaged brake, or nil.
func (b *brake) state() *drift.Brake {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.engaged == nil {
		return nil
	}
	copied := *b.engaged
	return &copied
}

// isRecentlyReleased reports whether an operator has released the brake within
// releaseDuration.
func (b *brake) isRecentlyReleased() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.cfg.Clock().Before(b.releasedUntil)
}

// release disengages the brake, and keeps it disengaged for releaseDuration: long enough
// to carry out the blocked actions.
func (b *brake) release() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.engaged, b.releasedUntil = nil, b.cfg.Clock().Add(releaseDuration)
	clear(b.recentRemovals)
}

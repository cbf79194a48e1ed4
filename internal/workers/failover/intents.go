package failover

import (
	"context"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Bounds of the time between two reads of the intent of one lost game. A game that is not
// to be rescheduled stays lost until its node returns, maybe for days.
const (
	minIntentAge = 5 * time.Second
	maxIntentAge = time.Minute
)

// cachedIntent is the intent of a lost game, as of the latest read.
type cachedIntent struct {
	recordRevision int64
	intent         ports.VersionedIntent
	readAt         time.Time
	maxAge         time.Duration // until the next read
}

// isCurrent reports whether the intent need not be read at now. The intent of a game whose
// record has changed or that has an operation in progress must be.
func (c cachedIntent) isCurrent(game lostGame, now time.Time) bool {
	return c.intent.Intent.Current == nil && c.recordRevision == game.found.Revision && now.Sub(c.readAt) < c.maxAge
}

// readIntents sets the intents of the games. It reads in batches those that are not cached,
// or not recently. A game whose intent is corrupt is skipped and reported.
func (r *region) readIntents(ctx context.Context, lost []lostGame) error {
	now := r.cfg.Clock()
	var stale []*lostGame
	var ids []string
	r.mu.Lock()
	for i := range lost {
		cached, isCached := r.intents[lost[i].found.Record.GameID]
		if isCached && cached.isCurrent(lost[i], now) {
			lost[i].intent, lost[i].isRead = cached.intent, true
			continue
		}
		stale, ids = append(stale, &lost[i]), append(ids, lost[i].found.Record.GameID)
	}
	r.mu.Unlock()
	if len(stale) == 0 {
		return nil
	}
	intents, err := r.deps.Intents.GetIntents(ctx, ids)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return fmt.Errorf("read the intents of %d lost games: %w", len(ids), err)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, game := range stale {
		cached := r.intents[ids[i]]
		age := min(max(2*cached.maxAge, minIntentAge), maxIntentAge)
		game.intent, game.isRead = intents[i], true
		r.intents[ids[i]] = cachedIntent{recordRevision: game.found.Revision, intent: intents[i], readAt: now, maxAge: age}
	}
	return err
}

// dropIntent makes the next pass read the intent of the game.
func (r *region) dropIntent(gameID string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.intents, gameID)
}

// pruneIntents drops the intents of the games that are no longer lost.
func (r *region) pruneIntents(lost map[string]*drift.Observation) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for gameID := range r.intents {
		if lost[gameID] == nil {
			delete(r.intents, gameID)
		}
	}
}

package drift

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Tracker keeps the findings of each game, with the time of the first observation and
// the number of observations. It is safe for concurrent use.
type Tracker struct {
	mu    sync.Mutex
	games map[string][]Finding
}

// NewTracker returns a tracker without findings.
func NewTracker() *Tracker { return &Tracker{games: map[string][]Finding{}} }

// Record replaces the findings of the game by those observed at now. It returns them
// with FirstSeen and Observations set. A finding with another revision of the intent, another operation of
// the record or other evidence than before counts as a new one. Other changes of the record do not matter:
// a client that changes labels or metadata must not delay an action forever.
func (t *Tracker) Record(gameID string, findings []Finding, now time.Time) []Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range findings {
		findings[i].FirstSeen, findings[i].Observations = now, 1
		for _, earlier := range t.games[gameID] {
			if isSameFinding(earlier, findings[i]) {
				findings[i].FirstSeen, findings[i].Observations = earlier.FirstSeen, earlier.Observations+1
			}
		}
	}
	if len(findings) == 0 {
		delete(t.games, gameID)
	} else {
		t.games[gameID] = slices.Clone(findings)
	}
	return findings
}

func isSameFinding(a, b Finding) bool {
	return a.ID == b.ID && a.RecordChangedAt.Equal(b.RecordChangedAt) && a.IntentRevision == b.IntentRevision && a.Evidence == b.Evidence
}

// Prune removes the findings of all games that are not in observed.
func (t *Tracker) Prune(observed map[string]*Observation) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for gameID := range t.games {
		if observed[gameID] == nil {
			delete(t.games, gameID)
		}
	}
}

// ForGame returns the latest findings of the game.
func (t *Tracker) ForGame(gameID string) []Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Clone(t.games[gameID])
}

// All returns the findings of all games, ordered by game.
func (t *Tracker) All() []Finding {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []Finding
	for _, findings := range t.games {
		all = append(all, findings...)
	}
	slices.SortFunc(all, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.GameID, y.GameID), cmp.Compare(x.ID, y.ID))
	})
	return all
}

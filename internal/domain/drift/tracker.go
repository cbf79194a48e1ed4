package drift

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Tracker remembers findings for as long as they are found again, and so since when
// and how often. It is safe for concurrent use.
type Tracker struct {
	mu    sync.Mutex
	games map[string][]Finding
}

// NewTracker returns a book without findings.
func NewTracker() *Tracker { return &Tracker{games: map[string][]Finding{}} }

// Record takes down what was found of a game at an instant, in place of what was
// found before, and returns it with FirstSeen and Seen filled in. A finding whose
// pins have moved is a new one.
func (b *Tracker) Record(gameID string, found []Finding, at time.Time) []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	before := b.games[gameID]
	for i := range found {
		found[i].FirstSeen, found[i].Observations = at, 1
		for _, old := range before {
			if same(old, found[i]) {
				found[i].FirstSeen, found[i].Observations = old.FirstSeen, old.Observations+1
			}
		}
	}
	if len(found) == 0 {
		delete(b.games, gameID)
	} else {
		b.games[gameID] = slices.Clone(found)
	}
	return found
}

func same(a, b Finding) bool {
	return a.ID == b.ID && a.RecordRevision == b.RecordRevision && a.IntentRevision == b.IntentRevision && a.Evidence == b.Evidence
}

// Prune forgets the findings of all games but those that were observed.
func (b *Tracker) Prune(observed map[string]*Observation) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for gameID := range b.games {
		if observed[gameID] == nil {
			delete(b.games, gameID)
		}
	}
}

// ForGame returns what was last found of the game.
func (b *Tracker) ForGame(gameID string) []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.games[gameID])
}

// All returns every finding, ordered by game.
func (b *Tracker) All() []Finding {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []Finding
	for _, found := range b.games {
		all = append(all, found...)
	}
	slices.SortFunc(all, func(x, y Finding) int {
		return cmp.Or(cmp.Compare(x.GameID, y.GameID), cmp.Compare(x.ID, y.ID))
	})
	return all
}

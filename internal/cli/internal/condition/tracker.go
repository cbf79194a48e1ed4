package condition

import (
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Tracker observes the events of a watch, and knows which games have not fulfilled the conditions
// yet. Each game is independent of the others: it has to fulfill them once. It is not safe for
// concurrent use.
type Tracker struct {
	conditions List
	pending    []string // in the order in which they were given
	records    map[string]runtime.VersionedRecord
	isSynced   bool // the records are those of one revision or later
}

// Reached is a game that fulfills the conditions. Record is nil if the game has none.
type Reached struct {
	GameID string
	Record *runtime.VersionedRecord
}

// NewTracker returns a tracker of the games. Start sets their records, or a snapshot does.
func NewTracker(conditions List, games []string) *Tracker {
	return &Tracker{conditions: conditions, pending: slices.Clone(games), records: map[string]runtime.VersionedRecord{}}
}

// Start sets the records of one revision, from which the watch continues, and returns the games
// that fulfill the conditions then.
func (t *Tracker) Start(records []runtime.VersionedRecord) []Reached {
	for _, v := range records {
		t.records[v.Record.GameID] = v
	}
	t.isSynced = true
	return t.takeReached(slices.Clone(t.pending))
}

// Observe returns the games that fulfill the conditions since the event.
func (t *Tracker) Observe(event ports.RuntimeEvent) []Reached {
	switch {
	case event.Type == ports.EventResync:
		t.records, t.isSynced = map[string]runtime.VersionedRecord{}, false
	case event.Type == ports.EventSynced:
		return t.Start(nil)
	case event.GameID == "" || !slices.Contains(t.pending, event.GameID):
	case event.After != nil:
		t.records[event.GameID] = runtime.VersionedRecord{Record: *event.After, Revision: event.Revision}
		return t.takeReached([]string{event.GameID})
	default:
		delete(t.records, event.GameID)
		return t.takeReached([]string{event.GameID})
	}
	return nil
}

// takeReached removes those of the games from the pending ones that fulfill the conditions, and
// returns them. A game without a record has none only once the snapshot is complete.
func (t *Tracker) takeReached(games []string) []Reached {
	var reached []Reached
	for _, gameID := range games {
		one := Reached{GameID: gameID}
		var record *runtime.RuntimeRecord
		if v, exists := t.records[gameID]; exists {
			one.Record, record = &v, &v.Record
		} else if !t.isSynced {
			continue
		}
		if t.conditions.IsTrue(record) {
			reached = append(reached, one)
			t.pending = slices.DeleteFunc(t.pending, func(pending string) bool { return pending == gameID })
		}
	}
	return reached
}

// Pending returns the games that have not fulfilled the conditions, with their last records.
func (t *Tracker) Pending() []Reached {
	pending := make([]Reached, len(t.pending))
	for i, gameID := range t.pending {
		pending[i].GameID = gameID
		if v, exists := t.records[gameID]; exists {
			pending[i].Record = &v
		}
	}
	return pending
}

// IsDone reports whether every game has fulfilled the conditions.
func (t *Tracker) IsDone() bool { return len(t.pending) == 0 }

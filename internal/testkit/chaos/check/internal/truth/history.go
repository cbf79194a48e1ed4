package truth

import (
	"cmp"
	"math"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// KeyState is the state of a key that is not of a game, from one revision on.
type KeyState struct {
	Revision, At int64
	Created      int64 // 0 if the key does not exist
}

// History is what etcd had at each revision.
type History struct {
	Prefix string
	Games  map[string]*Game
	// Records are the changes of records after the start of the recording.
	Records []*Version
	// Start is the revision at which the recording started, and Last that of its last change.
	Start, Last int64
	// Received holds revisions with the time at which each was received, in order.
	Received []Received
	// Keys are the states of the presence keys and of the extra keys of Build.
	Keys map[string][]KeyState

	// Changes are all changes, in the order of revisions.
	Changes []*recording.Change

	applied map[operationKey][]*Entry
}

// Received is a revision with the time at which the recording received it.
type Received struct{ Revision, At int64 }

type operationKey struct{ game, id string }

// Build replays the changes of one history of etcd. Keys also has the states of the extra keys.
func Build(prefix string, changes []recording.Change, extra ...string) *History {
	h := &History{Prefix: prefix, Games: map[string]*Game{}, Keys: map[string][]KeyState{}, applied: map[operationKey][]*Entry{}}
	for _, key := range extra {
		h.Keys[key] = nil
	}
	h.Changes = inOrder(changes)
	for _, c := range h.Changes {
		if c.Initial {
			h.Start = max(h.Start, c.Revision)
		} else if n := len(h.Received); n == 0 || h.Received[n-1].Revision != c.Revision {
			h.Received = append(h.Received, Received{c.Revision, c.At})
		}
		h.Last = max(h.Last, c.Revision)
		h.add(c)
	}
	return h
}

// inOrder returns the changes in the order of revisions. The initial ones have that of their keys.
func inOrder(changes []recording.Change) []*recording.Change {
	ordered := make([]*recording.Change, len(changes))
	for i := range changes {
		ordered[i] = &changes[i]
	}
	slices.SortStableFunc(ordered, func(a, b *recording.Change) int { return cmp.Compare(a.Revision, b.Revision) })
	return ordered
}

func (h *History) add(c *recording.Change) {
	key := ParseKey(h.Prefix, c.Key)
	if _, isKept := h.Keys[c.Key]; isKept || key.Family == NodeKey {
		h.addKeyState(c)
	}
	switch key.Family {
	case RecordKey:
		h.addVersion(h.game(key.Game), c)
	case LedgerKey:
		if c.Deleted {
			return
		}
		if e, err := ParseEntry([]byte(c.Value)); err == nil {
			e.Revision, e.At, e.Game = c.Revision, c.At, key.Game
			g := h.game(key.Game)
			g.Entries = append(g.Entries, e)
			id := operationKey{key.Game, e.OperationID}
			h.applied[id] = append(h.applied[id], e)
		}
	case IntentKey:
		if c.Deleted {
			g := h.game(key.Game)
			g.Intents = append(g.Intents, c.Revision)
		}
	default: // no rule needs the history of the others
	}
}

func (h *History) addKeyState(c *recording.Change) {
	state := KeyState{Revision: c.Revision, At: c.At, Created: c.Created}
	if c.Deleted {
		state.Created = 0
	}
	h.Keys[c.Key] = append(h.Keys[c.Key], state)
}

func (h *History) game(id string) *Game {
	g := h.Games[id]
	if g == nil {
		g = &Game{ID: id}
		h.Games[id] = g
	}
	return g
}

func (h *History) addVersion(g *Game, c *recording.Change) {
	v := &Version{
		Game: g.ID, Revision: c.Revision, Until: math.MaxInt64, At: c.At, Deleted: c.Deleted, Initial: c.Initial, Value: c.Value, Created: c.Created,
		Previous: g.At(c.Revision),
	}
	if !c.Deleted {
		record, err := ParseRecord([]byte(c.Value))
		if v.Record = record; err != nil {
			v.Fault = err.Error()
		}
	}
	if v.Previous != nil {
		v.Previous.Until = c.Revision
	}
	g.Versions = append(g.Versions, v)
	if !c.Initial {
		h.Records = append(h.Records, v)
	}
}

// Applied returns the entries of the game that have the operation id: one per time that it was
// applied.
func (h *History) Applied(game, operationID string) []*Entry {
	return h.applied[operationKey{game, operationID}]
}

// KeyAt returns the state of one of Keys before the revision.
func (h *History) KeyAt(key string, revision int64) (state KeyState) {
	states := h.Keys[key]
	i, _ := slices.BinarySearchFunc(states, revision, func(s KeyState, r int64) int { return cmp.Compare(s.Revision, r) })
	if i == 0 {
		return KeyState{}
	}
	return states[i-1]
}

// HadKey reports whether one of Keys existed since the revision of its creation at every revision of the
// window, as far as the recording goes.
func (h *History) HadKey(key string, created int64, w Window) bool {
	if h.KeyAt(key, w.From+1).Created != created {
		return false
	}
	for _, state := range h.Keys[key] {
		if state.Revision > w.From && state.Revision <= w.To && state.Created != created {
			return false
		}
	}
	return true
}

// ChangesAt returns the changes of the revision.
func (h *History) ChangesAt(revision int64) []*recording.Change {
	start, _ := slices.BinarySearchFunc(h.Changes, revision, func(c *recording.Change, r int64) int { return cmp.Compare(c.Revision, r) })
	end := start
	for end < len(h.Changes) && h.Changes[end].Revision == revision {
		end++
	}
	return h.Changes[start:end]
}

// FirstRecordAfter returns the place in Records of the first change after the revision.
func (h *History) FirstRecordAfter(revision int64) int {
	place, _ := slices.BinarySearchFunc(h.Records, revision+1, func(v *Version, r int64) int { return cmp.Compare(v.Revision, r) })
	return place
}

package truth

import (
	"cmp"
	"math"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Version is the state of a game from one revision until another.
type Version struct {
	Game     string
	Revision int64
	// Until is the revision of the next version; math.MaxInt64 if there is none.
	Until int64
	At    int64 // when the recording received it
	// Record is nil if the game was deleted, or if Fault is why its value cannot be parsed.
	Record  *Record
	Fault   string
	Deleted bool
	Initial bool
	Value   string
	Created int64
	// Previous is nil for the first version.
	Previous *Version

	fields Fields
	equal  []string // texts that were found to show this version
}

// Exists reports whether the game has a record.
func (v *Version) Exists() bool { return v != nil && !v.Deleted }

// Fields returns the fields of the record.
func (v *Version) Fields() Fields {
	if v.fields == nil && !v.Deleted {
		v.fields = ParseFields([]byte(v.Value))
	}
	return v.fields
}

// Differences returns the fields in which a shown record differs from this version.
func (v *Version) Differences(shown []byte) []string {
	for _, text := range v.equal {
		if text == string(shown) {
			return nil
		}
	}
	fields := ParseFields(shown)
	if fields == nil {
		return []string{"the record is not a JSON object"}
	}
	differences := v.Fields().Diff(fields)
	if len(differences) == 0 && len(v.equal) < 4 {
		v.equal = append(v.equal, string(shown))
	}
	return differences
}

// Game is the history of one game.
type Game struct {
	ID       string
	Versions []*Version
	Entries  []*Entry
	// Intents are the revisions at which the intent of the game was deleted.
	Intents []int64
}

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
		record, err := parseRecord(c.Value)
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

// At returns the version of the game at the revision, nil if it had none yet.
func (g *Game) At(revision int64) *Version {
	if g == nil {
		return nil
	}
	i := g.indexAt(revision)
	if i < 0 {
		return nil
	}
	return g.Versions[i]
}

// indexAt returns the place of the version at the revision, -1 if it had none yet.
func (g *Game) indexAt(revision int64) int {
	if n := len(g.Versions); n > 0 && g.Versions[n-1].Revision <= revision {
		return n - 1
	}
	i, isExact := slices.BinarySearchFunc(g.Versions, revision, func(v *Version, r int64) int { return cmp.Compare(v.Revision, r) })
	if isExact {
		return i
	}
	return i - 1
}

// Made returns the version that the revision made, nil if it made none.
func (g *Game) Made(revision int64) *Version {
	if v := g.At(revision); v != nil && v.Revision == revision {
		return v
	}
	return nil
}

// EntryAt returns the entry that the revision wrote, nil if it wrote none.
func (g *Game) EntryAt(revision int64) *Entry {
	i, wasWritten := slices.BinarySearchFunc(g.Entries, revision, func(e *Entry, r int64) int { return cmp.Compare(e.Revision, r) })
	if !wasWritten {
		return nil
	}
	return g.Entries[i]
}

// Between returns the versions that were current at some revision of the window. The first one is
// nil if the game had no version at the begin of the window.
func (g *Game) Between(w Window) []*Version {
	if g == nil {
		return []*Version{nil}
	}
	first, last := g.indexAt(w.From), g.indexAt(max(w.From, w.To))
	if first < 0 {
		return append([]*Version{nil}, g.Versions[:last+1]...)
	}
	return g.Versions[first : last+1]
}

// WasAbsent reports whether the game had no record at some revision of the window.
func (g *Game) WasAbsent(w Window) bool {
	return slices.ContainsFunc(g.Between(w), func(v *Version) bool { return !v.Exists() })
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

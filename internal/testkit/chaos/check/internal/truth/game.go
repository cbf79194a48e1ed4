package truth

import (
	"cmp"
	"fmt"
	"slices"
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

// Differences returns the fields in which a shown record differs from this version, with both values.
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
	for i, name := range differences {
		differences[i] = fmt.Sprintf("%s: %.80s instead of %.80s", name, cmp.Or(fields[name], "nothing"), cmp.Or(v.Fields()[name], "nothing"))
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

// During returns the versions that were the newest received ones at some time of the range. The first
// one is nil if the game had no version at its begin.
func (g *Game) During(from, to int64) []*Version {
	first, last := -1, -1
	for i, v := range g.Versions {
		if v.At < from {
			first = i
		}
		if v.At <= to {
			last = i
		}
	}
	if first < 0 {
		return append([]*Version{nil}, g.Versions[:last+1]...)
	}
	return g.Versions[first : last+1]
}

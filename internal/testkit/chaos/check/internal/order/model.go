package order

import (
	"slices"

	"github.com/anishathalye/porcupine"
)

// searchState is a state of the model during the search.
type searchState struct {
	now State
	// writes is how many writes were applied, and shown how many calls have shown the current record.
	writes, shown int
}

// expectations are what all calls of a part show together. They reject no order that the model alone
// would accept, and end the search in a wrong branch at once: writes have the order of their revisions,
// and a record is shown by all its calls before the next write.
type expectations struct {
	revisions []int64       // of the writes, in order
	shown     map[int64]int // how many calls show the record with the revision
}

func expect(calls []*Call) expectations {
	e := expectations{shown: map[int64]int{}}
	for _, c := range calls {
		switch {
		case c.Kind.isWrite():
			e.revisions = append(e.revisions, c.Revision)
		case c.State.Exists():
			e.shown[c.State.Revision]++
		}
	}
	slices.Sort(e.revisions)
	return e
}

// modelFrom is the specification of the store for one game, from a state on.
func modelFrom(initial State, e expectations) porcupine.Model {
	return porcupine.Model{
		Init: func() any { return searchState{now: initial} },
		Step: func(state, input, _ any) (bool, any) {
			s := state.(searchState)
			ok, next := e.step(s, input.(*Call))
			return ok, next
		},
	}
}

func (e expectations) step(s searchState, c *Call) (bool, searchState) {
	if !c.Kind.isWrite() {
		shown := c.State
		if c.Partial {
			shown.Identity = s.now.Identity
		}
		if shown != s.now || c.Kind == Conflict && c.holds(s.now) {
			return false, s
		}
		if s.now.Exists() {
			s.shown++
		}
		return true, s
	}
	isNext := s.writes < len(e.revisions) && e.revisions[s.writes] == c.Revision
	if !isNext || s.shown != e.shown[s.now.Revision] {
		return false, s
	}
	next, isPossible := c.apply(s.now)
	return isPossible, searchState{now: next, writes: s.writes + 1}
}

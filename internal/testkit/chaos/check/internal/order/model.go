package order

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
)

// searchState is a state of the model during the search.
type searchState struct {
	now State
	// writes is how many writes were applied, shown how many calls have shown the current record, and
	// absent how many calls have shown that there is none.
	writes, shown, absent int
}

// expectations are what all calls of a part show together. If the model alone accepts an order, then also one
// that has them, and they end the search in a wrong branch at once: writes have the order of their revisions,
// a record is shown by all its calls before the next write, and calls that show the same have the order of their
// returns. A call can be moved to behind one that returns earlier, since it is still in progress there. So the
// time of a search does not grow with the number of orders of concurrent reads.
type expectations struct {
	revisions []int64       // of the writes, in order
	shown     map[int64]int // how many calls show the record with the revision, 0 for none
	// places are those of calls among the ones that show the same, by the order of their returns.
	places map[*Call]int
}

func expect(calls []*Call) expectations {
	e := expectations{shown: map[int64]int{}, places: map[*Call]int{}}
	byReturn := slices.Clone(calls)
	slices.SortStableFunc(byReturn, func(a, b *Call) int { return cmp.Compare(a.Return, b.Return) })
	for _, c := range byReturn {
		if c.Kind.isWrite() {
			e.revisions = append(e.revisions, c.Revision)
			continue
		}
		e.places[c] = e.shown[c.State.Revision]
		e.shown[c.State.Revision]++
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
			return s.shown-1 == e.places[c], s
		}
		s.absent++
		return s.absent-1 == e.places[c], s
	}
	isNext := s.writes < len(e.revisions) && e.revisions[s.writes] == c.Revision
	if !isNext || s.now.Exists() && s.shown != e.shown[s.now.Revision] {
		return false, s
	}
	next, isPossible := c.apply(s.now)
	return isPossible, searchState{now: next, writes: s.writes + 1, absent: s.absent}
}

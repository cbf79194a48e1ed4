package order

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/anishathalye/porcupine"
)

// Limits of one search.
const (
	// minPart is the least number of calls of a part, if the history has more.
	minPart = 200
	// maxPart bounds the memory of a search, which grows with the square of the calls.
	maxPart = 20_000
	timeout = 10 * time.Second
)

// Violation is a part of a history without an order.
type Violation struct {
	Summary string
	// IsUndecided means that the search was not completed: there may be an order.
	IsUndecided bool
	Initial     State // before the calls
	// Calls are the shortest history that has no order.
	Calls []Call
}

// Check returns the first part of the calls of one game for which there is no order, or for which the
// search was not completed in time; nil if there is an order of all. The initial state is that before
// the first call.
func Check(initial State, calls []Call) *Violation {
	ordered := make([]*Call, len(calls))
	for i := range calls {
		ordered[i] = &calls[i]
	}
	slices.SortStableFunc(ordered, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })
	for len(ordered) > 0 {
		end := endOfPart(ordered)
		part := ordered[:end]
		if v := checkPart(initial, part); v != nil {
			return v
		}
		initial, ordered = finalState(initial, part), ordered[end:]
	}
	return nil
}

// endOfPart returns the end of the first part: no call of it was in progress when the next one starts.
func endOfPart(ordered []*Call) int {
	latest := int64(math.MinInt64)
	for i, c := range ordered {
		if i >= minPart && c.Start > latest {
			return i
		}
		latest = max(latest, c.Return)
	}
	return len(ordered)
}

func checkPart(initial State, part []*Call) *Violation {
	result := porcupine.Unknown
	if len(part) <= maxPart {
		result = search(initial, part)
	}
	switch result {
	case porcupine.Illegal:
		before, calls := shrink(initial, part)
		return &Violation{Summary: "there is no order of the calls that agrees with their responses", Initial: before, Calls: calls}
	case porcupine.Unknown:
		return &Violation{IsUndecided: true, Summary: fmt.Sprintf("the search for an order of %d calls was not completed", len(part)), Initial: initial, Calls: []Call{*part[0], *part[len(part)-1]}}
	default:
		return nil
	}
}

func search(initial State, part []*Call) porcupine.CheckResult {
	history := make([]porcupine.Operation, len(part))
	for i, c := range part {
		history[i] = porcupine.Operation{Input: c, Call: c.Start, Return: c.Return}
	}
	return porcupine.CheckOperationsTimeout(modelFrom(initial, expect(part)), history, timeout)
}

// finalState returns the state after a part that has an order: its writes have that of their revisions.
func finalState(state State, part []*Call) State {
	for _, c := range writesOf(part) {
		state, _ = c.apply(state)
	}
	return state
}

// writesOf returns the writes of a part in the order of their revisions.
func writesOf(part []*Call) (writes []*Call) {
	for _, c := range part {
		if c.Kind.isWrite() {
			writes = append(writes, c)
		}
	}
	slices.SortFunc(writes, func(a, b *Call) int { return cmp.Compare(a.Revision, b.Revision) })
	return writes
}

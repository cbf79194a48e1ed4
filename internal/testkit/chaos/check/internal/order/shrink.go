package order

import (
	"cmp"
	"slices"

	"github.com/anishathalye/porcupine"
)

// shrink returns a part of the calls that has no order either, from which no call can be removed.
// Without a call that only shows a record there are fewer requirements. Writes cannot be removed
// alone, but the first ones together: the state after them is known.
func shrink(initial State, part []*Call) (State, []Call) {
	part = withoutShows(initial, part)
	initial, part = withoutFirstWrites(initial, part)
	part = withoutLastWrites(initial, part)
	slices.SortStableFunc(part, func(a, b *Call) int { return cmp.Compare(a.Start, b.Start) })
	calls := make([]Call, len(part))
	for i, c := range part {
		calls[i] = *c
	}
	return initial, calls
}

func isIllegal(initial State, part []*Call) bool { return search(initial, part) == porcupine.Illegal }

// withoutShows removes the calls that only show a record, as many as possible, first in large blocks.
func withoutShows(initial State, part []*Call) []*Call {
	for size := (len(part) + 1) / 2; size > 0; size /= 2 {
		for start := 0; start < len(part); {
			end := min(start+size, len(part))
			remaining := slices.Clone(part[:start])
			for _, c := range part[start:end] {
				if c.Kind.isWrite() {
					remaining = append(remaining, c)
				}
			}
			kept := len(remaining) - start
			remaining = append(remaining, part[end:]...)
			if kept < end-start && isIllegal(initial, remaining) {
				part, end = remaining, start+kept
			}
			start = max(end, start+1)
		}
	}
	return part
}

// withoutFirstWrites removes the first writes whose record no call shows, as many as possible.
func withoutFirstWrites(initial State, part []*Call) (State, []*Call) {
	oldest, _ := shownRange(part)
	for {
		writes := writesOf(part)
		if len(writes) == 0 || oldest > 0 && writes[0].Revision >= oldest {
			return initial, part
		}
		next, isPossible := writes[0].apply(initial)
		remaining := without(part, writes[0])
		if !isPossible || !isIllegal(next, remaining) {
			return initial, part
		}
		initial, part = next, remaining
	}
}

// withoutLastWrites removes the last writes, as many as possible, but not the first one that follows
// the records that calls show: it may be the one that proves that they are stale.
func withoutLastWrites(initial State, part []*Call) []*Call {
	_, newest := shownRange(part)
	for {
		writes := writesOf(part)
		last := len(writes) - 1
		if last < 0 || newest > 0 && (last == 0 || writes[last-1].Revision <= newest) {
			return part
		}
		remaining := without(part, writes[last])
		if !isIllegal(initial, remaining) {
			return part
		}
		part = remaining
	}
}

func without(part []*Call, removed *Call) []*Call {
	return slices.DeleteFunc(slices.Clone(part), func(c *Call) bool { return c == removed })
}

// shownRange returns the oldest and the newest revision that calls show, 0 for none.
func shownRange(part []*Call) (oldest, newest int64) {
	for _, c := range part {
		if revision := c.State.Revision; !c.Kind.isWrite() && revision > 0 {
			newest = max(newest, revision)
			if oldest == 0 || revision < oldest {
				oldest = revision
			}
		}
	}
	return oldest, newest
}

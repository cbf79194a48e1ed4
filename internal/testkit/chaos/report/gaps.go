package report

import (
	"cmp"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// gap is a time in which clients waited and no call was served.
type gap struct{ from, to time.Duration }

func (g gap) length() time.Duration { return g.to - g.from }

// gapsOf returns the gaps between calls that were served. A gap begins with the first call that was
// in progress after the last served one, so that a time without any call is none.
func gapsOf(calls []*recording.Call) (found []gap) {
	calls = slices.Clone(calls)
	slices.SortStableFunc(calls, func(a, b *recording.Call) int { return cmp.Compare(a.Returned, b.Returned) })
	firstStart := make([]int64, len(calls)) // of the calls that returned at this place or later
	for i := len(calls) - 1; i >= 0; i-- {
		firstStart[i] = calls[i].Started
		if i+1 < len(calls) {
			firstStart[i] = min(firstStart[i], firstStart[i+1])
		}
	}
	last, next := int64(0), 0 // the last time at which a call was served, and the place after it
	for i, call := range calls {
		if isServed(call.Outcome) || i == len(calls)-1 {
			found = append(found, gap{time.Duration(max(last, firstStart[next])), time.Duration(call.Returned)})
			last, next = call.Returned, i+1
		}
	}
	return found
}

// longest returns the longest gap, the zero value for none.
func longest(gaps []gap) (found gap) {
	for _, g := range gaps {
		if g.length() > found.length() {
			found = g
		}
	}
	return found
}

package truth

import (
	"cmp"
	"math"
	"slices"
	"sort"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Window is a range of revisions, both included.
type Window struct{ From, To int64 }

// Contains reports whether the version was current at some revision of the window.
func (w Window) Contains(v *Version) bool { return v.Revision <= w.To && v.Until > w.From }

// Timeline relates the times of a recording to revisions. A revision existed at a time if the
// recorder or a watcher had received it, or a client had its response. It did not exist at a time at which the
// call that wrote it, or an earlier revision, had not started.
type Timeline struct {
	seen   []Received // by time; the revisions never decrease
	starts []startOf  // by revision; the times never decrease
	start  int64
}

type startOf struct{ revision, at int64 }

// NewTimeline returns the timeline of the history.
func NewTimeline(h *History, calls []recording.Call, events []recording.Event) *Timeline {
	t := &Timeline{start: h.Start, seen: slices.Clone(h.Received)}
	for i := range calls {
		c := &calls[i]
		if h.confirms(c.Game, c.Revision) {
			t.seen = append(t.seen, Received{c.Revision, c.Returned})
		}
	}
	for i := range events {
		e := &events[i]
		if h.confirms(e.Game, e.Revision) {
			t.seen = append(t.seen, Received{e.Revision, e.At})
		}
	}
	slices.SortFunc(t.seen, func(a, b Received) int { return cmp.Compare(a.At, b.At) })
	for i := 1; i < len(t.seen); i++ {
		t.seen[i].Revision = max(t.seen[i].Revision, t.seen[i-1].Revision)
	}
	t.addStarts(h, calls)
	return t
}

// confirms reports whether etcd changed the game at the revision that a response or an event shows. The
// revision of a list or bookmark may be wrong, so it proves nothing.
func (h *History) confirms(game string, revision int64) bool {
	return game != "" && revision > 0 && h.Games[game].Made(revision) != nil
}

// addStarts finds when the earliest call with the operation id of each revision started.
func (t *Timeline) addStarts(h *History, calls []recording.Call) {
	earliest := map[int64]int64{}
	for i := range calls {
		c := &calls[i]
		if c.OperationID == "" {
			continue
		}
		for _, e := range h.Applied(c.Game, c.OperationID) {
			if at, isSet := earliest[e.Revision]; !isSet || c.Started < at {
				earliest[e.Revision] = c.Started
			}
		}
	}
	for revision, at := range earliest {
		t.starts = append(t.starts, startOf{revision, at})
	}
	slices.SortFunc(t.starts, func(a, b startOf) int { return cmp.Compare(a.revision, b.revision) })
	for i := 1; i < len(t.starts); i++ {
		t.starts[i].at = max(t.starts[i].at, t.starts[i-1].at)
	}
}

// SeenBefore returns the newest revision that certainly existed before the time.
func (t *Timeline) SeenBefore(at int64) int64 {
	i := sort.Search(len(t.seen), func(i int) bool { return t.seen[i].At >= at })
	if i == 0 {
		return t.start
	}
	return max(t.start, t.seen[i-1].Revision)
}

// PossibleAt returns the newest revision that can have existed at the time.
func (t *Timeline) PossibleAt(at int64) int64 {
	i := sort.Search(len(t.starts), func(i int) bool { return t.starts[i].at > at })
	if i == len(t.starts) {
		return math.MaxInt64
	}
	return t.starts[i].revision - 1
}

// During returns the revisions that a linearizable call could have used.
func (t *Timeline) During(c *recording.Call) Window {
	return Window{From: t.SeenBefore(c.Started), To: t.PossibleAt(c.Returned)}
}

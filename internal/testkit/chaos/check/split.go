package check

import (
	"math"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// split returns the parts of a recording in which etcd had one history. A restore of a backup
// starts another one: acknowledged writes after the backup are lost, and revisions do not compare.
// So a part has only the calls and streams that lie completely within its time, and that show no revision after
// its last recorded one: the last changes before a restore may not have reached the recording. The state after the
// run belongs to the last part.
func split(r *recording.Recording) []*recording.Recording {
	var parts []*recording.Recording
	for i := 0; i < len(r.Changes); {
		end := i
		for end < len(r.Changes) && r.Changes[end].History == r.Changes[i].History {
			end++
		}
		parts = append(parts, &recording.Recording{Run: r.Run, Changes: r.Changes[i:end]})
		i = end
	}
	if len(parts) <= 1 {
		return []*recording.Recording{r}
	}
	for i, part := range parts {
		last := part.Changes[len(part.Changes)-1]
		from, to := part.Changes[0].At, last.At
		isLast := i == len(parts)-1
		isWithin := func(begin, end int64) bool { return (i == 0 || begin >= from) && (isLast || end <= to) }
		for j := range r.Calls {
			isRecorded := isLast || max(r.Calls[j].Revision, r.Calls[j].AsOf) <= last.Revision
			if isRecorded && isWithin(r.Calls[j].Started, r.Calls[j].Returned) {
				part.Calls = append(part.Calls, r.Calls[j])
			}
		}
		part.Calls = slices.DeleteFunc(part.Calls, isShared(r.Calls, part.Calls))
		newest := last.Revision
		if isLast {
			newest = math.MaxInt64
		}
		part.Events = streamsWithin(r.Events, isWithin, newest)
		if isLast {
			part.Samples = r.Samples
		}
	}
	return parts
}

// isShared returns a function that reports whether a call has the operation id of a call outside of
// the part, which may have been applied within it.
func isShared(all, part []recording.Call) func(recording.Call) bool {
	count := map[operation]int{}
	for i := range all {
		count[operation{all[i].Game, all[i].OperationID}]++
	}
	for i := range part {
		count[operation{part[i].Game, part[i].OperationID}]--
	}
	return func(call recording.Call) bool {
		return call.OperationID != "" && count[operation{call.Game, call.OperationID}] > 0
	}
}

// streamsWithin returns the events of the streams that lie completely within the part, and have no revision after
// the newest one.
func streamsWithin(events []recording.Event, isWithin func(begin, end int64) bool, newest int64) (within []recording.Event) {
	type stream struct {
		watcher string
		number  int
	}
	type span struct{ begin, end, revision int64 }
	spans := map[stream]span{}
	for i := range events {
		id := stream{events[i].Watcher, events[i].Stream}
		s, isSet := spans[id]
		if !isSet {
			s.begin = events[i].At
		}
		s.end, s.revision = events[i].At, max(s.revision, events[i].Revision)
		spans[id] = s
	}
	for i := range events {
		if s := spans[stream{events[i].Watcher, events[i].Stream}]; s.revision <= newest && isWithin(s.begin, s.end) {
			within = append(within, events[i])
		}
	}
	return within
}

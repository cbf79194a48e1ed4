package report

import (
	"cmp"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// outcomes lists the outcomes in the order in which bars stack them.
var outcomes = []recording.Outcome{
	recording.Done, recording.NotFound, recording.Conflict, recording.Rejected, recording.Unavailable, recording.Unknown,
}

// kinds lists the kinds of call in the order of the rows.
var kinds = []check.CallKind{check.ReadCalls, check.LocalReadCalls, check.WriteCalls, check.OperationCalls}

// isServed reports whether the response of a call states what happened.
func isServed(outcome recording.Outcome) bool {
	return outcome != recording.Unavailable && outcome != recording.Unknown
}

// maxIntervals bounds the intervals of a timeline.
const maxIntervals = 120

// intervalOf returns the length of the intervals of a timeline of the duration.
func intervalOf(total time.Duration) time.Duration {
	for _, length := range []time.Duration{
		100 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second,
		30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	} {
		if total <= maxIntervals*length {
			return length
		}
	}
	return (total/maxIntervals + time.Hour).Truncate(time.Hour)
}

// latencies are the latencies of the calls of an interval.
type latencies struct {
	count       int
	median, p99 time.Duration
	worst       time.Duration
}

// latenciesOf returns the latencies of durations, which it sorts.
func latenciesOf(all []time.Duration) latencies {
	slices.Sort(all)
	return latencies{count: len(all), median: percentile(all, 50), p99: percentile(all, 99), worst: percentile(all, 100)}
}

// percentile returns the nearest rank of sorted values, 0 for none.
func percentile[T cmp.Ordered](sorted []T, percent int) T {
	var none T
	if len(sorted) == 0 {
		return none
	}
	return sorted[max(0, (len(sorted)*percent+99)/100-1)]
}

// intervals are the calls of one node by intervals of time.
type intervals struct {
	length time.Duration
	// returned counts the calls that returned in an interval, by outcome.
	returned []map[recording.Outcome]int
	// started are the latencies of the calls that started in an interval, by kind. The latency of a
	// call that a fault delays so belongs to the time of the fault.
	started map[check.CallKind][]latencies
}

// intervalsOf returns the calls by intervals, which end before the end.
func intervalsOf(calls []*recording.Call, length, end time.Duration) intervals {
	count := int((end + length - 1) / length)
	result := intervals{length: length, returned: make([]map[recording.Outcome]int, count), started: map[check.CallKind][]latencies{}}
	durations := map[check.CallKind][][]time.Duration{}
	for _, call := range calls {
		if i := int(call.Returned / int64(length)); i >= 0 && i < count {
			if result.returned[i] == nil {
				result.returned[i] = map[recording.Outcome]int{}
			}
			result.returned[i][call.Outcome]++
		}
		kind := check.KindOf(call)
		if durations[kind] == nil {
			durations[kind] = make([][]time.Duration, count)
		}
		if i := int(call.Started / int64(length)); i >= 0 && i < count {
			durations[kind][i] = append(durations[kind][i], time.Duration(call.Returned-call.Started))
		}
	}
	for kind, all := range durations {
		for _, one := range all {
			result.started[kind] = append(result.started[kind], latenciesOf(one))
		}
	}
	return result
}

package check

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// String returns the counts of the run, what each rule examined, how long recoveries took, and the
// violations with their evidence.
func (r Report) String() string {
	var b strings.Builder
	s := r.Stats
	fmt.Fprintf(&b, "%d calls (%.1f %% of the writes of unknown outcome), %d changes, %d events of %d streams, %d faults injected (%d failed)\n",
		s.Calls, 100*s.UnknownShare, s.Changes, s.Events, s.Streams, s.InjectedFaults(), s.FailedFaults)
	for _, method := range slices.Sorted(maps.Keys(s.Outcomes)) {
		fmt.Fprintf(&b, "  %-14s", method)
		for _, outcome := range []recording.Outcome{recording.Done, recording.NotFound, recording.Conflict, recording.Rejected, recording.Unavailable, recording.Unknown} {
			if n := s.Outcomes[method][outcome]; n > 0 {
				fmt.Fprintf(&b, " %d %s", n, outcome)
			}
		}
		b.WriteByte('\n')
	}
	for _, rule := range Rules() {
		if slices.Contains(r.Skipped, rule) {
			fmt.Fprintf(&b, "  rule %-12s skipped: the changes of etcd were not recorded\n", rule)
			continue
		}
		fmt.Fprintf(&b, "  rule %-12s %8d examined, %d violations\n", rule, s.Examined[rule], s.Broken[rule])
	}
	for _, line := range s.recoveryLines() {
		b.WriteString("  " + line + "\n")
	}
	for _, v := range r.Violations {
		b.WriteString(v.String() + "\n")
	}
	return b.String()
}

// recoveryLines returns the recovery of each kind of call after each kind of fault: the median and the
// longest of all nodes.
func (s Stats) recoveryLines() (lines []string) {
	type group struct {
		fault string
		calls CallKind
	}
	times, never := map[group][]int64{}, map[group]int{}
	for _, r := range s.Recoveries {
		id := group{r.Kind, r.Calls}
		if r.After < 0 {
			never[id]++
			continue
		}
		times[id] = append(times[id], r.After)
	}
	for id, all := range times {
		slices.Sort(all)
		line := fmt.Sprintf("after %s: %s in %v, at most %v", id.fault, id.calls, time.Duration(all[len(all)/2]).Round(time.Millisecond), time.Duration(all[len(all)-1]).Round(time.Millisecond))
		if never[id] > 0 {
			line += fmt.Sprintf("; %d times no call followed", never[id])
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return lines
}

package report

import (
	"cmp"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// callTimes matches the times with which evidence describes a call.
var callTimes = regexp.MustCompile(`^\[([^ ,\]]+), ([^ ,\]]+)\]`)

// spanOf returns the time of the last call in the evidence of a violation, false if it has no call.
func spanOf(v check.Violation) (span gap, hasCall bool) {
	for _, line := range v.Evidence {
		times := callTimes.FindStringSubmatch(line)
		if times == nil {
			continue
		}
		from, fromErr := time.ParseDuration(times[1])
		to, toErr := time.ParseDuration(times[2])
		if fromErr == nil && toErr == nil && to >= span.to {
			span, hasCall = gap{from, to}, true
		}
	}
	return span, hasCall
}

// addViolations marks the violations whose evidence has a call.
func (f *figure) addViolations(violations []check.Violation) {
	const height = 16
	var marks []shape
	for _, v := range violations {
		if span, hasCall := spanOf(v); hasCall {
			title := fmt.Sprintf("%s: %s\ncall from %s to %s", v.Rule, v.Summary, formatTime(span.from), formatTime(span.to))
			mark := f.span(span.from, span.to, f.Height+2, height-4, "violation", title)
			mark.W = max(mark.W, 3)
			marks = append(marks, mark)
		}
	}
	if len(marks) > 0 {
		panel, _ := f.add("violations", height)
		panel.Hits = marks
	}
}

// addFaults adds a row for each kind of fault and target, in the order of their first faults.
func (f *figure) addFaults(faults []recording.Fault) {
	faults = slices.Clone(faults)
	slices.SortStableFunc(faults, func(a, b recording.Fault) int { return cmp.Compare(a.Started, b.Started) })
	type id struct{ kind, target string }
	rows := map[id]int{}
	const height = 15
	for _, fault := range faults {
		place, isThere := rows[id{fault.Kind, fault.Target}]
		if !isThere {
			f.add(fault.Kind+" · "+fault.Target, height)
			place = len(f.Rows) - 1
			rows[id{fault.Kind, fault.Target}] = place
		}
		from, to := time.Duration(fault.Started), time.Duration(fault.Repaired)
		title := fmt.Sprintf("%s · %s\nfrom %s to %s (%s)", fault.Kind, fault.Target, formatTime(from), formatTime(to), formatDuration(to-from))
		class := "fault"
		if fault.Detail != "" {
			title += "\n" + fault.Detail
		}
		if fault.Error != "" {
			class, title = "fault void", title+"\nfailed: "+fault.Error
		}
		r := &f.Rows[place]
		r.Hits = append(r.Hits, f.span(from, to, r.LabelY-height/2-1, height-5, class, title))
		f.Bands = append(f.Bands, f.span(from, to, 0, 0, "", ""))
	}
	if len(faults) == 0 {
		f.add("no fault", height)
	}
}

// addLeaders adds the member that leads etcd.
func (f *figure) addLeaders(samples []recording.Sample) {
	type leader struct {
		at   time.Duration
		name string
	}
	var leaders []leader
	for _, s := range samples {
		var name string
		if s.Kind != recording.EtcdLeader || json.Unmarshal(s.Value, &name) != nil {
			continue
		}
		if len(leaders) == 0 || leaders[len(leaders)-1].name != name {
			leaders = append(leaders, leader{time.Duration(s.At), name})
		}
	}
	if len(leaders) == 0 {
		return
	}
	const height = 22
	panel, top := f.add("leader of etcd", height)
	names := []string{}
	for i, one := range leaders {
		until := f.until
		if i+1 < len(leaders) {
			until = leaders[i+1].at
		}
		if one.at > f.until {
			break
		}
		class, label := "leader none", "none"
		if one.name != "" {
			if !slices.Contains(names, one.name) {
				names = append(names, one.name)
			}
			class, label = fmt.Sprintf("leader m%d", slices.Index(names, one.name)%5), one.name
		}
		s := f.span(one.at, until, top+3, height-6, class, fmt.Sprintf("leader %s, from %s to %s", label, formatTime(one.at), formatTime(until)))
		panel.Hits = append(panel.Hits, s)
		if s.W > 9*float64(len([]rune(label))) {
			panel.Texts = append(panel.Texts, text{X: px(s.X + s.W/2), Y: px(top + height/2 + 4), Class: "leader", Value: label})
		}
	}
}

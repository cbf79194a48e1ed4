package report

import (
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// page is what the page of a run shows.
type page struct {
	Title      string
	Result     result
	Facts      []fact
	Repeat     string
	Rules      []ruleRow
	Violations []check.Violation
	Skipped    []string // rules
	Hidden     int      // violations beyond those that a report has
	Timeline   *figure
	Outcomes   []recording.Outcome
	Calls      []callRow
	Faults     []faultRow
	Gaps       []gapRow
	Kinds      []check.CallKind
	Games      map[string]string
}

// result is whether the promises were kept.
type result struct{ Class, Text, Detail string }

type fact struct{ Name, Value string }

type ruleRow struct {
	Rule             string
	Examined, Broken int
	IsSkipped        bool
}

type callRow struct {
	Method             recording.Method
	Counts             []int
	Total              int
	Median, P99, Worst string
}

type gapRow struct {
	Node, Kind, Length, From, To string
	Served, Calls                int
	IsLong                       bool
}

func newPage(in Input) page {
	r := in.Recording
	p := page{
		Title: fmt.Sprintf("Run with seed %d", r.Run.Seed), Result: resultOf(in), Facts: factsOf(in), Repeat: in.Repeat, Violations: in.Check.Violations, Skipped: in.Check.Skipped,
		Timeline: timelineOf(r, in.Check.Violations), Outcomes: outcomes, Calls: callRows(r), Faults: rowsOf(faultKinds(recoveriesOf(r, in.Check))), Gaps: gapRows(r), Kinds: kinds, Games: r.Run.Games,
	}
	for _, rule := range check.Rules() {
		row := ruleRow{rule, in.Check.Stats.Examined[rule], in.Check.Stats.Broken[rule], slices.Contains(in.Check.Skipped, rule)}
		p.Rules = append(p.Rules, row)
		p.Hidden += row.Broken
	}
	p.Hidden = max(0, p.Hidden-len(p.Violations))
	return p
}

func resultOf(in Input) result {
	switch broken := len(in.Check.Violations); {
	case broken > 0:
		return result{"broken", plural(broken, "violation"), in.Check.Violations[0].Summary}
	case in.Void != nil:
		return result{"void", "void", in.Void.Error()}
	default:
		return result{"right", "no violation", ""}
	}
}

func factsOf(in Input) []fact {
	run, stats := in.Recording.Run, in.Check.Stats
	unknown := 0
	for _, counts := range stats.Outcomes {
		unknown += counts[recording.Unknown]
	}
	facts := []fact{
		{"Seed", fmt.Sprint(run.Seed)}, {"Layout", run.Layout}, {"Version", run.Version}, {"Planted bug", run.Planted}, {"Started", run.Started},
		{"Duration", formatDuration(time.Duration(run.Duration))},
		{"Calls", fmt.Sprintf("%d, %d of unknown outcome (%.1f %% of writes)", stats.Calls, unknown, 100*stats.UnknownShare)},
		{"Faults", fmt.Sprintf("%d injected, %d failed", stats.InjectedFaults(), stats.FailedFaults)},
		{"Events", fmt.Sprintf("%d in %d watch streams", stats.Events, stats.Streams)}, {"Changes of etcd", fmt.Sprint(stats.Changes)},
	}
	for _, node := range run.Nodes {
		facts = append(facts, fact{"Node", node})
	}
	return slices.DeleteFunc(facts, func(f fact) bool { return f.Value == "" })
}

// methods lists the methods in the order of a table.
var methods = []recording.Method{
	recording.Get, recording.List, recording.History, recording.Put, recording.PutIf, recording.UpdateStatus, recording.SetLabels, recording.Delete,
	recording.Start, recording.Stop, recording.Restart, recording.Patch, recording.Move, recording.Cleanup,
}

func callRows(r *recording.Recording) (rows []callRow) {
	durations, counts, all := map[recording.Method][]time.Duration{}, map[recording.Method]map[recording.Outcome]int{}, slices.Clone(methods)
	for i := range r.Calls {
		call := &r.Calls[i]
		if counts[call.Method] == nil {
			counts[call.Method] = map[recording.Outcome]int{}
			if !slices.Contains(all, call.Method) {
				all = append(all, call.Method)
			}
		}
		counts[call.Method][call.Outcome]++
		durations[call.Method] = append(durations[call.Method], time.Duration(call.Returned-call.Started))
	}
	for _, method := range all {
		if counts[method] == nil {
			continue
		}
		took := latenciesOf(durations[method])
		row := callRow{Method: method, Total: took.count, Median: formatDuration(took.median), P99: formatDuration(took.p99), Worst: formatDuration(took.worst)}
		for _, outcome := range outcomes {
			row.Counts = append(row.Counts, counts[method][outcome])
		}
		rows = append(rows, row)
	}
	return rows
}

// longGap is the length from which on a table marks a gap.
const longGap = 5 * time.Second

func gapRows(r *recording.Recording) (rows []gapRow) {
	for _, n := range callsByNode(r) {
		for _, kind := range kinds {
			calls := n.ofKind(kind)
			if len(calls) == 0 {
				continue
			}
			g := longest(gapsOf(calls))
			row := gapRow{Node: nodeName(n.name), Kind: kindName(kind), Length: formatDuration(g.length()), From: formatTime(g.from), To: formatTime(g.to), Calls: len(calls), IsLong: g.length() >= longGap}
			for _, call := range calls {
				if isServed(call.Outcome) {
					row.Served++
				}
			}
			rows = append(rows, row)
		}
	}
	return rows
}

package report

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// storeNode is the node of the calls of stores in the process of the clients.
const storeNode = ""

// nodeName returns the name of a node for display.
func nodeName(node string) string {
	if node == storeNode {
		return "stores of the clients"
	}
	return node
}

// kindName returns the plural of a kind of call.
func kindName(kind check.CallKind) string { return string(kind) + "s" }

// outcomeName returns the name of an outcome for display.
func outcomeName(outcome recording.Outcome) string {
	if outcome == recording.NotFound {
		return "not found"
	}
	return string(outcome)
}

// endOf returns the end of traffic. What follows is the wait for the final state.
func endOf(r *recording.Recording) time.Duration {
	end := max(r.Run.Stable, r.Run.Duration)
	for i := range r.Calls {
		end = max(end, r.Calls[i].Returned)
	}
	for i := range r.Faults {
		end = max(end, r.Faults[i].Repaired)
	}
	return time.Duration(end)
}

// timelineOf returns the timeline of a run.
func timelineOf(r *recording.Recording, violations []check.Violation) *figure {
	end := max(endOf(r), time.Second)
	f := newFigure(end)
	f.addHeading("the cluster")
	f.addViolations(violations)
	f.addFaults(r.Faults)
	f.addLeaders(r.Samples)
	if last := lastTime(r); last > end+time.Second {
		f.Notes = append(f.Notes, fmt.Sprintf("Traffic ended at %s. The wait for the final state until %s is not drawn.", formatTime(end), formatTime(last)))
	}
	nodes := callsByNode(r)
	length := intervalOf(end)
	all := make([]intervals, len(nodes))
	most, scales := 1, map[check.CallKind]*decades{}
	for i, n := range nodes {
		all[i] = intervalsOf(n.calls, length, end)
		for _, counts := range all[i].returned {
			total := 0
			for _, count := range counts {
				total += count
			}
			most = max(most, total)
		}
		for kind, values := range all[i].started {
			if scales[kind] == nil {
				scales[kind] = &decades{}
			}
			for _, one := range values {
				if one.count > 0 {
					scales[kind].include(one.median)
					scales[kind].include(one.p99)
				}
			}
		}
	}
	streams := streamsOf(r.Events, end)
	containers := containersOf(r.Samples)
	for i, n := range nodes {
		f.addHeading(nodeName(n.name))
		f.addRates(n.name, all[i], most)
		for _, kind := range kinds {
			if values := all[i].started[kind]; values != nil {
				f.addLatencies(n.name, kind, values, length, *scales[kind], gapsOf(n.ofKind(kind)))
			}
		}
		f.addStreams(n.name, streams)
		f.addContainers(n.name, containers[n.name])
	}
	f.finish()
	return f
}

// lastTime returns the time of the last sample.
func lastTime(r *recording.Recording) (last time.Duration) {
	for i := range r.Samples {
		last = max(last, time.Duration(r.Samples[i].At))
	}
	return last
}

// nodeCalls are the calls of one node.
type nodeCalls struct {
	name  string
	calls []*recording.Call
}

func (n nodeCalls) ofKind(kind check.CallKind) (found []*recording.Call) {
	for _, call := range n.calls {
		if check.KindOf(call) == kind {
			found = append(found, call)
		}
	}
	return found
}

// callsByNode returns the calls of each node: those of the run in its order, then other ones, then
// the stores of the clients.
func callsByNode(r *recording.Recording) (nodes []nodeCalls) {
	byNode := map[string][]*recording.Call{}
	for i := range r.Calls {
		byNode[r.Calls[i].Node] = append(byNode[r.Calls[i].Node], &r.Calls[i])
	}
	names := slices.Clone(r.Run.Nodes)
	others := []string{}
	for name := range byNode {
		if !slices.Contains(names, name) && name != storeNode {
			others = append(others, name)
		}
	}
	slices.Sort(others)
	names = append(names, others...)
	if len(byNode[storeNode]) > 0 {
		names = append(names, storeNode)
	}
	for _, name := range names {
		nodes = append(nodes, nodeCalls{name, byNode[name]})
	}
	return nodes
}

// addStreams adds a row for each watcher of a node.
func (f *figure) addStreams(node string, all []*stream) {
	byName, names := watchersOf(all, node)
	for i, name := range names {
		const height = 12
		panel, top := f.add("", height)
		if i == 0 {
			panel.Label, panel.Title = "watch streams", "one row for each watcher; the end of a bar has the color of its reason"
		}
		for _, s := range byName[name] {
			reason := s.reason
			if reason == "" {
				reason = "open at the end"
			}
			title := fmt.Sprintf("%s, stream %d\nfrom %s to %s, %d events\nend: %s", s.watcher, s.number, formatTime(s.from), formatTime(s.to), s.events, reason)
			bar := f.span(s.from, s.to, top+2, height-4, "stream", title)
			panel.Hits = append(panel.Hits, bar)
			if s.class() != "closed" {
				panel.Hits = append(panel.Hits, shape{X: px(bar.X + bar.W - 2), Y: bar.Y, W: 4, H: bar.H, Class: "end " + s.class(), Title: title})
			}
		}
	}
}

// containerSample are the containers on a node at one time.
type containerSample struct {
	at         time.Duration
	containers []recording.Container
}

// containersOf returns the samples of containers by node.
func containersOf(samples []recording.Sample) map[string][]containerSample {
	byNode := map[string][]containerSample{}
	for _, s := range samples {
		one := containerSample{at: time.Duration(s.At)}
		if s.Kind == recording.Containers && json.Unmarshal(s.Value, &one.containers) == nil {
			byNode[s.Subject] = append(byNode[s.Subject], one)
		}
	}
	return byNode
}

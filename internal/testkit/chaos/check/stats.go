package check

import (
	"cmp"
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// Stats are what happened in a run.
type Stats struct {
	Calls int
	// Outcomes counts the calls by method and outcome.
	Outcomes map[recording.Method]map[recording.Outcome]int
	// UnknownShare is the share of writes of unknown outcome, 0 to 1.
	UnknownShare    float64
	Faults          map[string]int // by kind
	FailedFaults    int            // that could not be injected or repaired
	Unrepaired      []string       // the faults whose repair failed
	Events          int
	Streams         int
	Changes         int
	Recoveries      []Recovery
	Examined        map[string]int // by rule: the items that it examined
	Broken          map[string]int // by rule: all violations, also those beyond MaxViolations
	ReplayedResults int            // retries whose response shows a later record than the write
}

// InjectedFaults returns the number of faults without an error.
func (s Stats) InjectedFaults() int {
	total := -s.FailedFaults
	for _, n := range s.Faults {
		total += n
	}
	return total
}

// CallKind is a kind of call whose recovery is measured.
type CallKind string

// The kinds.
const (
	ReadCalls      CallKind = "read"
	LocalReadCalls CallKind = "local read"
	WriteCalls     CallKind = "write"
	OperationCalls CallKind = "operation"
)

// KindOf returns the kind of a call.
func KindOf(call *recording.Call) CallKind {
	switch {
	case call.Method.IsLifecycle():
		return OperationCalls
	case call.Method.IsWrite():
		return WriteCalls
	case call.Local:
		return LocalReadCalls
	default:
		return ReadCalls
	}
}

// Recovery is how long after the repair of a fault the first call of a kind succeeded at a node.
type Recovery struct {
	Fault int // the place in the recording
	Kind  string
	Node  string // empty for a store in the process of the client
	Calls CallKind
	// After is in nanoseconds, -1 if no call succeeded any more.
	After int64
}

func newStats(r *recording.Recording) Stats {
	s := Stats{
		Calls: len(r.Calls), Events: len(r.Events), Changes: len(r.Changes), Outcomes: map[recording.Method]map[recording.Outcome]int{},
		Faults: map[string]int{}, Examined: map[string]int{}, Broken: map[string]int{},
	}
	writes, unknown := 0, 0
	for i := range r.Calls {
		call := &r.Calls[i]
		if s.Outcomes[call.Method] == nil {
			s.Outcomes[call.Method] = map[recording.Outcome]int{}
		}
		s.Outcomes[call.Method][call.Outcome]++
		if call.Method.IsWrite() {
			writes++
			if call.Outcome == recording.Unknown {
				unknown++
			}
		}
	}
	if writes > 0 {
		s.UnknownShare = float64(unknown) / float64(writes)
	}
	for _, fault := range r.Faults {
		s.Faults[fault.Kind]++
		if fault.Error != "" {
			s.FailedFaults++
		}
		if fault.Unrepaired {
			s.Unrepaired = append(s.Unrepaired, fmt.Sprintf("%s: %s: %s", fault.Kind, fault.Target, fault.Error))
		}
	}
	for i := range r.Events {
		if r.Events[i].Type == recording.StreamOpen {
			s.Streams++
		}
	}
	s.Recoveries = recoveries(r)
	return s
}

// recoveries returns the recovery of each kind of call at each node after each fault. A call that
// started before the repair does not count: it may have been done before the fault.
func recoveries(r *recording.Recording) (found []Recovery) {
	type client struct {
		node string
		kind CallKind
	}
	successes := map[client][]*recording.Call{}
	for i := range r.Calls {
		call := &r.Calls[i]
		if call.Outcome == recording.Done {
			id := client{call.Node, KindOf(call)}
			successes[id] = append(successes[id], call)
		}
	}
	clients := make([]client, 0, len(successes))
	for id, calls := range successes {
		clients = append(clients, id)
		slices.SortFunc(calls, func(a, b *recording.Call) int { return cmp.Compare(a.Started, b.Started) })
	}
	slices.SortFunc(clients, func(a, b client) int { return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.kind, b.kind)) })
	for place, fault := range r.Faults {
		for _, id := range clients {
			found = append(found, Recovery{Fault: place, Kind: fault.Kind, Node: id.node, Calls: id.kind, After: firstReturn(successes[id], fault.Repaired)})
		}
	}
	return found
}

// firstReturn returns how long after the time the first of the calls that started after it
// returned, -1 for none. The calls are in the order of their starts.
func firstReturn(calls []*recording.Call, after int64) int64 {
	i, _ := slices.BinarySearchFunc(calls, after, func(c *recording.Call, at int64) int { return cmp.Compare(c.Started, at) })
	first := int64(-1)
	for ; i < len(calls) && (first < 0 || calls[i].Started < first); i++ {
		if first < 0 || calls[i].Returned < first {
			first = calls[i].Returned
		}
	}
	if first < 0 {
		return -1
	}
	return first - after
}

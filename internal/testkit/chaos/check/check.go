package check

import (
	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checker checks the part of a recording in which etcd had one history.
type checker struct {
	run      recording.Run
	calls    []recording.Call
	all      []recording.Call // also those of other parts
	events   []recording.Event
	samples  []recording.Sample
	history  *truth.History
	timeline *truth.Timeline
	// byOperation are the calls with each operation id of a game.
	byOperation map[operation][]*recording.Call
	report      *Report
	proofs      int               // calls of proofOf
	byContainer map[string]string // see gameOf
}

type operation struct{ game, id string }

// Check checks a recording by all rules.
func Check(r *recording.Recording) Report {
	report := Report{Stats: newStats(r)}
	if r.Run.NoChanges {
		checkWithoutChanges(r, &report)
		return report
	}
	parts := split(r)
	for i, part := range parts {
		c := newChecker(part, r.Calls, &report)
		c.checkWrites()
		c.checkReads()
		c.checkLists()
		c.checkOrder()
		c.checkLocalReads()
		c.checkWatches()
		c.checkInvariants()
		c.checkFences()
		if i == len(parts)-1 {
			c.checkContainers()
			if len(report.Stats.Unrepaired) == 0 { // otherwise the cluster may have a reason not to recover
				c.checkLiveness()
			}
		}
	}
	return report
}

func newChecker(r *recording.Recording, all []recording.Call, report *Report) *checker {
	c := &checker{run: r.Run, calls: r.Calls, all: all, events: r.Events, samples: r.Samples, report: report, byOperation: map[operation][]*recording.Call{}}
	c.history = truth.Build(r.Run.Prefix, r.Changes, fenceKeys(r.Calls)...)
	c.timeline = truth.NewTimeline(c.history, r.Calls, r.Events)
	for i := range c.calls {
		if call := &c.calls[i]; call.OperationID != "" {
			id := operation{call.Game, call.OperationID}
			c.byOperation[id] = append(c.byOperation[id], call)
		}
	}
	return c
}

// isRecordGame reports whether only clients write the record of the game.
func (c *checker) isRecordGame(game string) bool { return c.run.Games[game] == "records" }

// mayHaveApplied reports whether the outcome allows that the call was applied.
func mayHaveApplied(call *recording.Call) bool {
	return call.Outcome == recording.Done || call.Outcome == recording.Unknown
}

package check

import (
	"fmt"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkWrites checks that the writes of each operation id were applied as their responses state.
func (c *checker) checkWrites() {
	for i := range c.calls {
		call := &c.calls[i]
		id := operation{call.Game, call.OperationID}
		if !call.Method.IsWrite() || call.Method == recording.Delete || call.OperationID == "" || c.byOperation[id][0] != call {
			continue
		}
		g := writeGroup{c: c, calls: c.byOperation[id], game: c.history.Games[call.Game], applied: c.history.Applied(call.Game, call.OperationID)}
		c.examine(RuleWrites, len(g.calls))
		g.checkCount()
		if call.Method.IsLifecycle() {
			continue // an operation writes under ids derived from its own
		}
		g.checkUnapplied()
		for _, one := range g.calls {
			if one.Outcome == recording.Done {
				g.checkAcknowledged(one)
			}
		}
		for _, entry := range g.applied {
			c.checkEffect(call, entry)
		}
	}
	c.checkOperations()
	c.checkForeignWrites()
	c.checkDeletions()
}

// writeGroup is the calls that have one operation id of a game, with the times it was applied.
type writeGroup struct {
	c       *checker
	calls   []*recording.Call
	game    *truth.Game
	applied []*truth.Entry
}

func (g *writeGroup) report(summary string, entries ...*truth.Entry) {
	var lines []string
	for _, e := range entries {
		lines = append(lines, describeEntry(e))
	}
	g.c.add(RuleWrites, summary, append(lines, g.c.withRetries(g.calls[0])...)...)
}

// checkCount checks that the operation id was applied at most once, and by a call that permits it.
func (g *writeGroup) checkCount() {
	for i := 1; i < len(g.applied); i++ {
		if !g.isDropped(g.applied[i-1], g.applied[i]) || len(g.calls) < len(g.applied) {
			g.report(fmt.Sprintf("the write %s of game %s was applied %d times", g.calls[0].OperationID, g.calls[0].Game, len(g.applied)), g.applied...)
			return
		}
	}
	for _, e := range g.applied {
		if !g.hasSource(e) {
			g.report(fmt.Sprintf("the write %s of game %s was applied, but its calls report that it was not", g.calls[0].OperationID, g.calls[0].Game), e)
		}
	}
}

// isDropped reports whether the ledger had lost the first application before the second one:
// the game was deleted, or the ring was full. A retry is a new write then.
func (g *writeGroup) isDropped(first, second *truth.Entry) bool {
	newer := 0
	for _, e := range g.game.Entries {
		if e.Revision > first.Revision && e.Revision < second.Revision {
			newer++
		}
	}
	return newer >= truth.Slots || g.game.WasAbsent(truth.Window{From: first.Revision, To: second.Revision - 1})
}

// hasSource reports whether a call can have applied the entry.
func (g *writeGroup) hasSource(e *truth.Entry) bool {
	for _, call := range g.calls {
		if (mayHaveApplied(call) || call.Method.IsLifecycle()) && call.Started <= e.At {
			return true
		}
	}
	return false
}

// checkUnapplied checks the calls whose operation id was never applied.
func (g *writeGroup) checkUnapplied() {
	if len(g.applied) > 0 {
		return
	}
	for _, call := range g.calls {
		if call.Outcome == recording.Done && call.Method != recording.SetLabels { // labels may be unchanged
			g.report(fmt.Sprintf("the write %s of game %s was acknowledged and never applied", call.OperationID, call.Game))
			return
		}
	}
}

// checkAcknowledged checks the response of a write that is done.
func (g *writeGroup) checkAcknowledged(call *recording.Call) {
	if len(g.applied) == 0 {
		if call.Method == recording.SetLabels && call.Revision != 0 {
			g.c.checkShown(call, "the record with unchanged labels")
		}
		return
	}
	first, window := g.applied[0], g.c.timeline.During(call)
	if first.Revision > window.To {
		g.report(fmt.Sprintf("the write %s of game %s was acknowledged before it was applied", call.OperationID, call.Game), first)
		return
	}
	if call.Revision == 0 {
		return
	}
	shown := g.game.Made(call.Revision)
	switch {
	case shown == nil:
		g.report(fmt.Sprintf("the write %s was acknowledged with revision %d, which did not change game %s", call.OperationID, call.Revision, call.Game), g.applied...)
		return
	case g.wrote(call.Revision):
	case first.Revision < call.Revision && g.mayBeReplay(call) && window.Contains(shown):
		g.c.report.Stats.ReplayedResults++
	default:
		g.report(fmt.Sprintf("the write %s of game %s was acknowledged with revision %d, which another write made", call.OperationID, call.Game, call.Revision), g.applied...)
		return
	}
	if len(call.Output) > 0 {
		if differences := shown.Differences(call.Output); len(differences) > 0 {
			g.c.add(RuleWrites, fmt.Sprintf("the acknowledged record of game %s at revision %d differs from etcd in %v", call.Game, call.Revision, differences),
				describeVersion(shown), describeCall(call))
		}
	}
}

// wrote reports whether the operation id made the revision.
func (g *writeGroup) wrote(revision int64) bool {
	for _, e := range g.applied {
		if e.Revision == revision {
			return true
		}
	}
	return false
}

// mayBeReplay reports whether the call may be the retry of one that was applied: its response shows
// the current record then. HTTP clients resend a request with an idempotency key by themselves.
func (g *writeGroup) mayBeReplay(call *recording.Call) bool {
	return len(g.calls) > 1 || call.Node != ""
}

// checkForeignWrites checks that each write of a record game has a call.
func (c *checker) checkForeignWrites() {
	if c.hasPendingCalls() {
		return // the recording has no operation id of a call that never returned
	}
	sent := make(map[operation]bool, len(c.byOperation))
	for i := range c.all {
		sent[operation{c.all[i].Game, c.all[i].OperationID}] = true
	}
	for id, g := range c.history.Games {
		if !c.isRecordGame(id) {
			continue
		}
		for _, e := range g.Entries {
			if !sent[operation{id, e.OperationID}] && e.Revision > c.history.Start {
				c.add(RuleWrites, fmt.Sprintf("game %s was written under operation id %s, which no call sent", id, e.OperationID), describeEntry(e))
			}
		}
	}
}

func (c *checker) hasPendingCalls() bool {
	for i := range c.samples {
		if c.samples[i].Kind == recording.Calls {
			return true
		}
	}
	return false
}

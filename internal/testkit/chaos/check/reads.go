package check

import (
	"fmt"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkReads checks the linearizable reads of one record, and the records that conflicts show.
func (c *checker) checkReads() {
	for i := range c.calls {
		call := &c.calls[i]
		isRead := call.Method == recording.Get && !call.Local
		switch {
		case isRead && call.Outcome == recording.Done:
			c.examine(RuleReads, 1)
			c.checkShown(call, "the read")
		case call.Outcome == recording.NotFound && (isRead || isRecordWrite(call.Method)):
			c.examine(RuleReads, 1)
			c.checkAbsent(call)
			c.checkRetry(call)
		case call.Outcome == recording.Conflict && isRecordWrite(call.Method):
			c.examine(RuleReads, 1)
			c.checkConflict(call)
			c.checkRetry(call)
		}
	}
}

// isRecordWrite reports whether the method writes a record directly.
func isRecordWrite(m recording.Method) bool { return m.IsWrite() && !m.IsLifecycle() }

// checkShown checks that the record of a response was the current one at some time of the call, and
// that it is the one of etcd. It returns that version, nil for a violation.
func (c *checker) checkShown(call *recording.Call, what string) *truth.Version {
	v := c.history.Games[call.Game].Made(call.Revision)
	window := c.timeline.During(call)
	var fault string
	switch {
	case !v.Exists():
		fault = fmt.Sprintf("shows revision %d, at which etcd wrote no record of the game", call.Revision)
	case v.Until <= window.From:
		fault = fmt.Sprintf("is stale: it shows revision %d, although revision %d, at which revision %d had replaced it, existed before the call", call.Revision, window.From, v.Until)
	case v.Revision > window.To:
		fault = fmt.Sprintf("shows revision %d, which was written only after the call had returned", call.Revision)
	default:
		if differences := v.Differences(call.Output); len(differences) > 0 {
			fault = fmt.Sprintf("differs from the record of etcd at revision %d in %v", call.Revision, differences)
		}
	}
	if fault == "" {
		return v
	}
	c.add(RuleReads, fmt.Sprintf("%s of game %s %s", what, call.Game, fault), c.shortest(call)...)
	return nil
}

// checkAbsent checks that the game had no record at some time of the call.
func (c *checker) checkAbsent(call *recording.Call) {
	if !c.history.Games[call.Game].WasAbsent(c.timeline.During(call)) {
		c.add(RuleReads, fmt.Sprintf("the %s of game %s reports that there is no record, but there was one during the whole call", call.Method, call.Game), c.shortest(call)...)
	}
}

// checkConflict checks that the record of a conflict was current, and fails the precondition.
func (c *checker) checkConflict(call *recording.Call) {
	if call.Revision == 0 { // a conflict with no record
		switch {
		case call.Method == recording.PutIf && call.IfRevision == 0:
			c.add(RuleReads, fmt.Sprintf("the %s of game %s requires that there is no record, and is in conflict with none", call.Method, call.Game), c.shortest(call)...)
		default:
			c.checkAbsent(call)
		}
		return
	}
	v := c.checkShown(call, "the conflict")
	if v == nil || v.Record == nil || call.Method == recording.SetLabels || call.Method == recording.Delete {
		return
	}
	isStatus, isContainer := v.Record.Status != call.From, call.ContainerID != "" && v.Record.ContainerID != call.ContainerID
	hasFailed := call.Method == recording.PutIf && v.Revision != call.IfRevision || call.Method == recording.UpdateStatus && (isStatus || isContainer)
	if !hasFailed {
		c.add(RuleReads, fmt.Sprintf("the %s of game %s is in conflict with a record that satisfies its precondition", call.Method, call.Game), c.shortest(call)...)
	}
}

// checkRetry checks that a retry of an applied write did not fail: the ledger had its operation id
// during the whole call.
func (c *checker) checkRetry(call *recording.Call) {
	g, window := c.history.Games[call.Game], c.timeline.During(call)
	if call.OperationID == "" || call.Method == recording.Delete {
		return
	}
	for _, e := range c.history.Applied(call.Game, call.OperationID) {
		if e.Revision > window.From {
			continue
		}
		newer := 0
		for i := len(g.Entries) - 1; i >= 0 && g.Entries[i].Revision > e.Revision && newer < truth.Slots; i-- {
			newer++
		}
		if newer < truth.Slots && !g.WasAbsent(truth.Window{From: e.Revision, To: window.To}) {
			c.add(RuleWrites, fmt.Sprintf("the retry of the applied write %s of game %s failed with %s", call.OperationID, call.Game, call.Outcome), append([]string{describeEntry(e)}, c.withRetries(call)...)...)
		}
	}
}

package check

import (
	"fmt"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkOperations checks the operations on containers. An operation writes the record under its id, and
// under ids that start with it and a slash.
func (c *checker) checkOperations() {
	for i := range c.calls {
		call := &c.calls[i]
		id := operation{call.Game, call.OperationID}
		if !call.Method.IsLifecycle() || call.OperationID == "" || c.byOperation[id][0] != call {
			continue
		}
		group := c.byOperation[id]
		if !slices.ContainsFunc(group, mayHaveApplied) {
			c.checkNothingWritten(call)
		}
		started := call.Started
		for _, one := range group {
			started = min(started, one.Started)
		}
		for _, one := range group {
			if one.Outcome == recording.Done {
				c.checkOperationDone(one, started)
			}
		}
	}
}

// checkNothingWritten checks an operation whose calls all report that it was not executed.
func (c *checker) checkNothingWritten(call *recording.Call) {
	g := c.history.Games[call.Game]
	if g == nil {
		return
	}
	for _, e := range g.Entries {
		if e.OperationID == call.OperationID || strings.HasPrefix(e.OperationID, call.OperationID+"/") {
			c.add(RuleWrites, fmt.Sprintf("the operation %s on game %s wrote the record, but its calls report that it was not executed", call.OperationID, call.Game),
				append([]string{describeEntry(e)}, c.withRetries(call)...)...)
			return
		}
	}
}

// checkOperationDone checks that the game had the state that a successful operation requests, at some
// time between the first call with its id and the response.
func (c *checker) checkOperationDone(call *recording.Call, started int64) {
	window := truth.Window{From: c.timeline.SeenBefore(started), To: c.timeline.PossibleAt(call.Returned)}
	versions := c.history.Games[call.Game].Between(window)
	hasState := func(v *truth.Version) bool {
		if !v.Exists() || v.Record == nil {
			return call.Method == recording.Cleanup
		}
		switch call.Method {
		case recording.Stop: // a game whose container is missing, or whose first start was rolled back, is removed
			return v.Record.Status == truth.Stopped || v.Record.Status == truth.Removed
		case recording.Cleanup:
			return v.Record.Status == truth.Removed
		case recording.Patch: // this and a move keep a game stopped that has stopped, until its node starts it after a crash
			return v.Record.Status != truth.Removed
		case recording.Move:
			return v.Record.Status != truth.Removed && (call.To == "" || v.Record.Region+"/"+v.Record.Node == call.To)
		default:
			return v.Record.Status == truth.Running
		}
	}
	if !slices.ContainsFunc(versions, hasState) {
		c.add(RuleWrites, fmt.Sprintf("the operation %s %s on game %s is done, and the game never had the requested state", call.Method, call.OperationID, call.Game),
			append(describeVersions(versions), c.withRetries(call)...)...)
	}
}

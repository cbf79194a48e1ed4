package check

import (
	"fmt"
	"strings"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkFences checks that no write was applied under a fence that was lost: at its revision the key
// of the fence existed since the revision of the fence.
func (c *checker) checkFences() {
	for i := range c.calls {
		call := &c.calls[i]
		if call.FenceKey == "" || call.OperationID == "" {
			continue
		}
		c.examine(RuleFences, 1)
		c.checkRejection(call)
		for _, e := range c.history.Applied(call.Game, call.OperationID) {
			if e.Revision <= c.history.Start || c.isFenced(call, e) {
				continue
			}
			state := c.history.KeyAt(call.FenceKey, e.Revision)
			what := fmt.Sprintf("etcd: %s did not exist", call.FenceKey)
			if state.Created != 0 {
				what = fmt.Sprintf("etcd: %s existed since revision %d", call.FenceKey, state.Created)
			}
			if state.Revision != 0 {
				what += fmt.Sprintf(", as of its change at revision %d, received at %v", state.Revision, time.Duration(state.At))
			}
			c.add(RuleFences, fmt.Sprintf("the write %s of game %s was applied under the lost fence of revision %d", call.OperationID, call.Game, call.FenceRevision),
				append([]string{what, describeEntry(e)}, c.withRetries(call)...)...)
		}
	}
}

// checkRejection checks that a write was not rejected for its fence while that was valid.
func (c *checker) checkRejection(call *recording.Call) {
	if call.Outcome != recording.Rejected || !strings.Contains(call.Error, "fence") {
		return
	}
	window := c.timeline.During(call)
	if c.history.HadKey(call.FenceKey, call.FenceRevision, window) {
		c.add(RuleFences, fmt.Sprintf("the write %s of game %s was rejected for its fence, which was valid during the whole call", call.OperationID, call.Game),
			fmt.Sprintf("etcd: %s existed since revision %d, in the whole window from revision %d to %d", call.FenceKey, call.FenceRevision, window.From, window.To), describeCall(call))
	}
}

// isFenced reports whether the fence of a call with the operation id was valid when the entry was
// written.
func (c *checker) isFenced(call *recording.Call, e *truth.Entry) bool {
	for _, one := range c.byOperation[operation{call.Game, call.OperationID}] {
		if !mayHaveApplied(one) || one.Started > e.At {
			continue
		}
		if one.FenceKey == "" || c.history.KeyAt(one.FenceKey, e.Revision).Created == one.FenceRevision {
			return true
		}
	}
	return false
}

// fenceKeys returns the keys of all fences.
func fenceKeys(calls []recording.Call) (keys []string) {
	isAdded := map[string]bool{"": true}
	for i := range calls {
		if key := calls[i].FenceKey; !isAdded[key] {
			isAdded[key] = true
			keys = append(keys, key)
		}
	}
	return keys
}

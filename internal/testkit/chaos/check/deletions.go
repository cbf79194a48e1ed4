package check

import (
	"fmt"
	"slices"

	"galaxy/rtmanager/internal/testkit/chaos/check/internal/truth"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// checkDeletions checks the calls that delete a game. A deletion leaves no operation id in etcd: a
// call that has found the removed record is done once that record is deleted, by itself or by
// another call.
func (c *checker) checkDeletions() {
	byGame := map[string][]*recording.Call{}
	for i := range c.calls {
		call := &c.calls[i]
		if call.Method != recording.Delete {
			continue
		}
		c.examine(RuleWrites, 1)
		byGame[call.Game] = append(byGame[call.Game], call)
		if call.Outcome == recording.Done && !c.hasDeletion(call) {
			c.add(RuleWrites, fmt.Sprintf("the deletion of game %s was acknowledged and never applied", call.Game), c.shortest(call)...)
		}
	}
	for game, g := range c.history.Games {
		if !c.isRecordGame(game) || c.hasPendingCalls() {
			continue
		}
		for _, v := range g.Versions {
			if v.Deleted && !v.Initial && !hasSourceOfDeletion(byGame[game], v) {
				c.add(RuleWrites, fmt.Sprintf("game %s was deleted, and no call that may have done it was in progress", game), describeVersion(v.Previous), describeVersion(v))
			}
		}
	}
}

// hasDeletion reports whether the record was deleted after the first call with the operation id had
// started and before the call returned.
func (c *checker) hasDeletion(call *recording.Call) bool {
	g := c.history.Games[call.Game]
	if g == nil {
		return false
	}
	started := call.Started
	for _, retry := range c.byOperation[operation{call.Game, call.OperationID}] {
		started = min(started, retry.Started)
	}
	window := truth.Window{From: c.timeline.SeenBefore(started) + 1, To: c.timeline.PossibleAt(call.Returned)}
	isWithin := func(revision int64) bool { return revision >= window.From && revision <= window.To }
	return slices.ContainsFunc(g.Between(window), func(v *truth.Version) bool { return v != nil && v.Deleted && isWithin(v.Revision) }) ||
		slices.ContainsFunc(g.Intents, isWithin)
}

// hasSourceOfDeletion reports whether a call can have made the deletion.
func hasSourceOfDeletion(calls []*recording.Call, v *truth.Version) bool {
	return slices.ContainsFunc(calls, func(call *recording.Call) bool {
		return mayHaveApplied(call) && call.Started <= v.At
	})
}

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
	for i := range c.calls {
		call := &c.calls[i]
		if call.Method != recording.Delete {
			continue
		}
		c.examine(RuleWrites, 1)
		if call.Outcome == recording.Done && !c.hasDeletion(call) {
			c.add(RuleWrites, fmt.Sprintf("the deletion of game %s was acknowledged and never applied", call.Game), c.shortest(call)...)
		}
		if call.Outcome == recording.Rejected && !c.wasUndeletable(call) {
			c.add(RuleWrites, fmt.Sprintf("the deletion of game %s was rejected although it was removed", call.Game), c.shortest(call)...)
		}
	}
	c.checkSourcesOfDeletions()
}

// checkSourcesOfDeletions checks that each deletion of a record game has a call.
func (c *checker) checkSourcesOfDeletions() {
	if c.hasPendingCalls() {
		return
	}
	byGame := map[string][]*recording.Call{}
	for i := range c.all {
		if call := &c.all[i]; call.Method == recording.Delete {
			byGame[call.Game] = append(byGame[call.Game], call)
		}
	}
	for game, g := range c.history.Games {
		if !c.isRecordGame(game) {
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

// wasUndeletable reports whether a deletion may be rejected: the record was not that of a removed game,
// or there was an operation on the game.
func (c *checker) wasUndeletable(call *recording.Call) bool {
	return !c.isRecordGame(call.Game) || call.FenceKey != "" ||
		slices.ContainsFunc(c.history.Games[call.Game].Between(c.timeline.During(call)), func(v *truth.Version) bool {
			return v.Exists() && (v.Record == nil || v.Record.Status != truth.Removed)
		})
}

// hasSourceOfDeletion reports whether a call can have made the deletion.
func hasSourceOfDeletion(calls []*recording.Call, v *truth.Version) bool {
	return slices.ContainsFunc(calls, func(call *recording.Call) bool {
		return mayHaveApplied(call) && call.Started <= v.At
	})
}

package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// withoutChanges removes the changes of etcd from a recording.
func withoutChanges(build func() *builder) func() *builder {
	return func() *builder {
		b := build()
		b.Changes, b.Run.NoChanges = nil, true
		return b
	}
}

func TestReadsWithoutChanges(t *testing.T) {
	t.Parallel()
	show := func(b *builder, place, as int) {
		b.Calls[place].Revision, b.Calls[place].Output = b.Calls[as].Revision, b.Calls[as].Output
	}
	requireViolations(t, check.RuleReads, withoutChanges(readsRecording), []violationCase{
		{"stale read", func(b *builder) { show(b, 3, 1) }, "is stale"},
		{"stale conflict", func(b *builder) { show(b, 4, 1) }, "is stale"},
		{"two records at one revision", func(b *builder) { b.Calls[3].Output = b.Calls[1].Output }, "with different records"},
	})
	requireViolations(t, check.RuleLists, withoutChanges(listsRecording), []violationCase{
		{"stale list", func(b *builder) { b.Calls[4].Revision, b.Calls[4].Items = b.Calls[2].Revision, b.Calls[2].Items }, "is stale"},
		{"stale item", func(b *builder) { b.Calls[4].Items[1] = b.Calls[2].Items[1] }, "is stale"},
		{"item of the future", func(b *builder) { b.Calls[4].Items[1].Revision = 99 }, "as of the later revision"},
	})
	requireViolations(t, check.RuleLocal, withoutChanges(localRecording), []violationCase{
		{"a list goes back", func(b *builder) { b.Calls[7].Revision = 11 }, "goes back"},
		{"an item goes back", func(b *builder) { b.Calls[7].Items[0].Revision = 11 }, "goes back"},
	})
}

func TestWatchesWithoutChanges(t *testing.T) {
	t.Parallel()
	drop := func(place int) func(*builder) {
		return func(b *builder) { b.Events = append(b.Events[:place], b.Events[place+1:]...) }
	}
	requireViolations(t, check.RuleWatches, withoutChanges(watchesRecording), []violationCase{
		{"missing event", drop(5), "another watcher received it"},
		{"missing event of a filter", drop(10), "another watcher received it"},
		{"event twice", func(b *builder) { b.event("all", b.Events[15]) }, "had been delivered"},
		{"event twice in a revision", func(b *builder) { b.Events[7] = b.Events[6] }, "delivered twice"},
		{"events in another order", func(b *builder) { b.Events[14], b.Events[15] = b.Events[15], b.Events[14] }, "was not delivered"},
		{"bookmark that goes back", func(b *builder) { b.Events[8].Revision = 12 }, "follows revision 13"},
		{"end without a reason", func(b *builder) { b.Events[9].Reason = "" }, "has no reason"},
		{"resync without a reason", func(b *builder) { b.Events[16].Reason = "" }, "has no reason"},
	})
	requireAccepted(t, withoutChanges(watchesRecording), map[string]func(*builder){
		"a watcher that was opened later": func(b *builder) {
			b.open("late", recording.Event{From: 15})
			b.Events = append(b.Events, recording.Event{Watcher: "late", Stream: 1, Type: "bookmark", Revision: 15})
		},
	})
}

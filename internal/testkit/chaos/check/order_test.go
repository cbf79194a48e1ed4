package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

func TestOrder(t *testing.T) {
	t.Parallel()
	show := func(b *builder, place, as int) {
		b.Calls[place].Revision, b.Calls[place].Output = b.Calls[as].Revision, b.Calls[as].Output
	}
	const noOrder = "there is no order of the calls"
	requireViolations(t, check.RuleOrder, readsRecording, []violationCase{
		{"stale read", func(b *builder) { show(b, 3, 1) }, noOrder},
		{"read of a later write", func(b *builder) { show(b, 1, 3) }, noOrder},
		{"another record", func(b *builder) { b.Calls[3].Output = b.Calls[1].Output }, noOrder},
		{"conflict without a cause", func(b *builder) { b.Calls[4].From = "stopped" }, noOrder},
		{"update of another status", func(b *builder) { b.Calls[2].From = "stopped" }, noOrder},
		{"missing record", func(b *builder) {
			b.Calls[4].Outcome, b.Calls[4].Output, b.Calls[4].Revision = recording.NotFound, nil, 0
		}, noOrder},
	})
	requireViolations(t, check.RuleOrder, listsRecording, []violationCase{
		{"stale list", func(b *builder) { b.Calls[4].Items[1] = b.Calls[2].Items[1] }, noOrder},
		{"list misses a game", func(b *builder) { b.Calls[4].Items = b.Calls[4].Items[:1] }, noOrder},
		{"list with another container", func(b *builder) { b.Calls[5].Items[0].ContainerID = "another" }, noOrder},
	})
	requireAccepted(t, readsRecording, map[string]func(*builder){
		"an unknown write that is seen": func(b *builder) {
			b.Calls[2].Outcome, b.Calls[2].Revision, b.Calls[2].Output = recording.Unknown, 0, nil
		},
		"a condition of a node": func(b *builder) { b.setCondition("g/1", "desired_status", "running"); b.get("c3", "g/1") },
		"a deletion": func(b *builder) {
			b.update("g/1", "op-8", "removed")
			b.deleteGame("g/1", "op-9")
			b.get("c3", "g/1")
			b.put("g/1", "op-10", "running", "x")
		},
	})
}

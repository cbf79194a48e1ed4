package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// fencesRecording has one write under each of two leaders: calls 0 and 2.
func fencesRecording() *builder {
	b := newBuilder()
	elect := func(deleted bool) int64 {
		b.revision++
		b.tick()
		b.change("/leader", "", deleted)
		return b.revision
	}
	lead := func(place int, revision int64) {
		b.Calls[place].FenceKey, b.Calls[place].FenceRevision = "/p/leader", revision
	}
	first := elect(false)
	b.put("g/1", "op-0", "running", "x")
	lead(0, first)
	elect(true)
	b.put("g/1", "op-1", "running", "y")
	second := elect(false)
	b.put("g/1", "op-2", "running", "z")
	lead(2, second)
	return b
}

func TestFences(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleFences, fencesRecording, []violationCase{
		{"write of a former leader", func(b *builder) { b.Calls[2].FenceRevision = b.Calls[0].FenceRevision }, "under the lost fence"},
		{"write without a leader", func(b *builder) {
			b.Calls[1].FenceKey, b.Calls[1].FenceRevision = b.Calls[0].FenceKey, b.Calls[0].FenceRevision
		}, "under the lost fence"},
		{"unknown write of a former leader", func(b *builder) {
			b.Calls[2].FenceRevision, b.Calls[2].Outcome, b.Calls[2].Revision = b.Calls[0].FenceRevision, recording.Unknown, 0
		}, "under the lost fence"},
		{"write before the leader was elected", func(b *builder) { b.Calls[0].FenceRevision = b.Calls[2].FenceRevision }, "under the lost fence"},
		{"rejection of a leader", func(b *builder) {
			unapplied(b, recording.Call{
				Method: recording.Put, Game: "g/1", OperationID: "late", FenceKey: "/p/leader", FenceRevision: b.Calls[2].FenceRevision, Outcome: recording.Rejected, Error: "fenced",
			})
		}, "was valid during the whole call"},
	})
	requireAccepted(t, fencesRecording, map[string]func(*builder){
		"a rejected write of a former leader": func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Put, Game: "g/1", OperationID: "late", FenceKey: "/p/leader", FenceRevision: 11, Outcome: recording.Rejected, Error: "fenced"})
		},
	})
}

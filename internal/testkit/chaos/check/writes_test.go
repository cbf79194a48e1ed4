package check_test

import (
	"encoding/json"
	"strings"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// writesRecording has one write of each kind: calls 0 to 6.
func writesRecording() *builder {
	b := newBuilder()
	b.put("g/1", "op-0", "running", "x") // revision 11
	b.update("g/1", "op-1", "stopped")
	b.update("g/1", "op-2", "running")
	b.update("g/1", "op-3", "removed")
	b.deleteGame("g/1", "op-4")          // revision 15
	b.put("g/1", "op-5", "running", "y") // revision 16
	b.put("g2", "op-6", "running", "z")
	return b
}

// unapplied appends a call that did not change anything.
func unapplied(b *builder, call recording.Call) int {
	call.Started = b.tick()
	return b.call(call)
}

func TestWrites(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleWrites, writesRecording, []violationCase{
		{"acknowledged and lost", func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Put, Game: "g2", OperationID: "lost", Outcome: recording.Done})
		}, "never applied"},
		{"applied twice", func(b *builder) { b.apply("g2", "op-6", "upsert", b.records["g2"]) }, "was applied 2 times"},
		{"applied although in conflict", func(b *builder) { b.Calls[1].Outcome = recording.Conflict }, "report that it was not"},
		{"applied although unavailable", func(b *builder) { b.Calls[1].Outcome, b.Calls[1].Revision = recording.Unavailable, 0 }, "report that it was not"},
		{"applied although rejected", func(b *builder) { b.Calls[6].Outcome, b.Calls[6].Revision = recording.Rejected, 0 }, "report that it was not"},
		{"revision of another write", func(b *builder) { b.Calls[1].Revision = 13 }, "which another write made"},
		{"revision of no write", func(b *builder) { b.Calls[1].Revision = 9 }, "which did not change game"},
		{"acknowledged before it was applied", func(b *builder) {
			b.Calls[1].Started, b.Calls[1].Returned = b.Calls[0].Started, b.Calls[0].Started+1
			b.Calls[0].Started += second
		}, "before it was applied"},
		{"other record in the response", func(b *builder) { b.Calls[0].Output = encode(record("g/1", "running", "another")) }, "differs from etcd"},
		{"other record than the input", func(b *builder) {
			b.Calls[0].Input = encode(with(record("g/1", "running", "x"), "state_path", "/other"))
		}, "differs from the written one in [state_path]"},
		{"another precondition on the status", func(b *builder) { b.Calls[1].From = "stopped" }, "requires status stopped"},
		{"another precondition on the container", func(b *builder) { b.Calls[1].ContainerID = "y" }, `requires container "y"`},
		{"another precondition on the revision", func(b *builder) { b.Calls[5].Method, b.Calls[5].IfRevision = recording.PutIf, 14 }, "requires revision 14"},
		{"another status than requested", func(b *builder) { b.Calls[1].To = "removed" }, "writes status removed"},
		{"a field changed by a transition", func(b *builder) {
			for i := range b.Changes {
				if b.Changes[i].Revision == 12 {
					b.Changes[i].Value = strings.Replace(b.Changes[i].Value, `"/s"`, `"/other"`, 1)
				}
			}
			b.Calls[1].Output = nil
		}, "also changed [state_path]"},
		{"write without a call", func(b *builder) { b.apply("g2", "foreign", "upsert", b.records["g2"]) }, "which no call sent"},
		{"deletion that was never applied", func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Delete, Game: "g2", OperationID: "d", Outcome: recording.Done})
		}, "the deletion of game g2 was acknowledged and never applied"},
		{"deletion rejected without a reason", func(b *builder) {
			b.update("g2", "op-7", "removed")
			unapplied(b, recording.Call{Method: recording.Delete, Game: "g2", OperationID: "d", Outcome: recording.Rejected})
		}, "was rejected although it was removed"},
		{"deletion without a call", func(b *builder) { b.Calls[4].Outcome = recording.Rejected }, "no call that may have done it"},
		{"failed retry of an applied write", func(b *builder) {
			unapplied(b, recording.Call{
				Method: recording.Put, Game: "g2", OperationID: "op-6", Outcome: recording.Conflict, Revision: b.revisionOf("g2"), Output: encode(b.records["g2"]),
			})
		}, "the retry of the applied write"},
	})
	requireAccepted(t, writesRecording, map[string]func(*builder){
		"unknown and applied": func(b *builder) {
			b.Calls[1].Outcome, b.Calls[1].Revision, b.Calls[1].Output = recording.Unknown, 0, nil
		},
		"unknown and not applied": func(b *builder) {
			unapplied(b, recording.Call{Method: recording.Put, Game: "g2", OperationID: "unknown", Outcome: recording.Unknown})
		},
		"retry that shows the current record": func(b *builder) {
			b.update("g2", "op-7", "stopped")
			unapplied(b, recording.Call{
				Method: recording.Put, Game: "g2", OperationID: "op-6", Outcome: recording.Done, Revision: b.revision, Output: encode(b.records["g2"]),
			})
		},
		"retry after the deletion": func(b *builder) {
			b.update("g/1", "op-7", "removed")
			b.deleteGame("g/1", "op-8")
			b.put("g/1", "op-5", "running", "y")
			b.Calls[5].Outcome, b.Calls[5].Revision, b.Calls[5].Output = recording.Unknown, 0, nil
		},
		"deletion by a concurrent call": func(b *builder) {
			call := b.Calls[4]
			call.OperationID, call.Client = "concurrent", "c2"
			b.Calls = append(b.Calls, call)
		},
		"other order of members, and empty members": func(b *builder) {
			b.Calls[0].Output = json.RawMessage(`{"docker_network":"","labels":{},` + string(b.Calls[0].Output[1:]))
		},
	})
}

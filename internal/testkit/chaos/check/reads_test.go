package check_test

import (
	"encoding/json"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// readsRecording has reads and a conflict between writes.
//
//	0  put of g/1, revision 11
//	1  get
//	2  update to stopped, revision 12
//	3  get
//	4  conflict of an update from running
//	5  get of g2, not found
//	6  put_if in conflict with revision 12
func readsRecording() *builder {
	b := newBuilder()
	b.put("g/1", "op-0", "running", "x")
	b.get("c2", "g/1")
	b.update("g/1", "op-1", "stopped")
	b.get("c2", "g/1")
	shown := recording.Call{Game: "g/1", Outcome: recording.Conflict, Revision: 12, Output: encode(b.records["g/1"])}
	conflict := shown
	conflict.Method, conflict.OperationID, conflict.From, conflict.To = recording.UpdateStatus, "op-2", "running", "removed"
	unapplied(b, conflict)
	b.get("c2", "g2")
	conflict = shown
	conflict.Method, conflict.OperationID, conflict.IfRevision, conflict.Input = recording.PutIf, "op-3", 11, encode(record("g/1", "running", "y"))
	unapplied(b, conflict)
	return b
}

func TestReads(t *testing.T) {
	t.Parallel()
	show := func(b *builder, place, as int) {
		b.Calls[place].Revision, b.Calls[place].Output = b.Calls[as].Revision, b.Calls[as].Output
	}
	requireViolations(t, check.RuleReads, readsRecording, []violationCase{
		{"stale read", func(b *builder) { show(b, 3, 1) }, "is stale"},
		{"read of a later write", func(b *builder) { show(b, 1, 3) }, "only after the call had returned"},
		{"read of no write", func(b *builder) { b.Calls[3].Revision = 9 }, "wrote no record"},
		{"read without a revision", func(b *builder) { b.Calls[3].Revision = 0 }, "wrote no record"},
		{"another record at the revision", func(b *builder) { b.Calls[3].Output = b.Calls[1].Output }, "differs from the record of etcd"},
		{"unreadable record", func(b *builder) { b.Calls[3].Output = json.RawMessage(`[]`) }, "is not a JSON object"},
		{"missing record", func(b *builder) {
			b.Calls[3] = recording.Call{Client: "c2", Method: recording.Get, Game: "g/1", Outcome: recording.NotFound, Started: b.Calls[3].Started, Returned: b.Calls[3].Returned}
		}, "there was one during the whole call"},
		{"write that misses a record", func(b *builder) { b.Calls[4].Outcome, b.Calls[4].Revision = recording.NotFound, 0 }, "there was one during the whole call"},
		{"stale conflict", func(b *builder) { show(b, 4, 1) }, "the conflict of game g/1 is stale"},
		{"conflict without a cause", func(b *builder) { b.Calls[4].From = "stopped" }, "satisfies its precondition"},
		{"revision conflict without a cause", func(b *builder) { b.Calls[6].IfRevision = 12 }, "satisfies its precondition"},
		{"conflict with no record where there is one", func(b *builder) { b.Calls[6].Revision = 0 }, "there was one during the whole call"},
		{"conflict with no record where none is required", func(b *builder) { b.Calls[6].Revision, b.Calls[6].IfRevision = 0, 0 }, "in conflict with none"},
	})
	requireAccepted(t, readsRecording, map[string]func(*builder){
		"an old record of a concurrent read": func(b *builder) { show(b, 3, 1); b.Calls[3].Started = b.Calls[2].Started },
		"a conflict on the container":        func(b *builder) { b.Calls[4].From, b.Calls[4].ContainerID = "stopped", "y" },
	})
}

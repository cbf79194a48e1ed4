package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// restoredRecording has a restore of a backup: revisions start over, a write after the backup is lost,
// and a call and a stream go across the restore.
func restoredRecording() *builder {
	b := newBuilder()
	b.open("w", recording.Event{From: 10})
	b.put("g/1", "op-0", "running", "x") // revision 11: in the backup
	b.deliver("w", 11, "g/1", true)
	b.update("g/1", "op-1", "stopped") // revision 12: lost
	lost := b.call(recording.Call{Client: "c7", Method: recording.Put, Game: "g/1", OperationID: "op-2", Started: b.tick(), Outcome: recording.Unknown})
	restored := len(b.Changes)
	b.revision, b.records["g/1"], b.seqs["g/1"] = 11, record("g/1", "running", "x"), 1
	for _, c := range b.Changes[:restored] {
		if c.Revision == 11 {
			c.Initial, c.At = true, b.tick()
			b.Changes = append(b.Changes, c)
		}
	}
	b.event("w", recording.Event{Type: recording.StreamEnd, Reason: "410"})
	b.Calls[lost].Returned = b.tick()
	b.open("w", recording.Event{From: 11})
	b.update("g/1", "op-3", "removed") // another revision 12
	b.deliver("w", 12, "g/1", true)
	b.Events[len(b.Events)-1].Before = encode(record("g/1", "running", "x"))
	b.get("c2", "g/1")
	for i := restored; i < len(b.Changes); i++ {
		b.Changes[i].History = 1
	}
	return b
}

func TestHistoriesAreCheckedApart(t *testing.T) {
	t.Parallel()
	last := func(b *builder) *recording.Call { return &b.Calls[len(b.Calls)-1] }
	requireViolations(t, check.RuleReads, restoredRecording, []violationCase{
		{"stale read after the restore", func(b *builder) { last(b).Revision, last(b).Output = 11, encode(record("g/1", "running", "x")) }, "is stale"},
	})
	requireViolations(t, check.RuleWatches, restoredRecording, []violationCase{
		{"missing event after the restore", func(b *builder) {
			b.event("w", recording.Event{Type: "bookmark", Revision: 12})
			b.Events[len(b.Events)-2].Revision = 11
		}, "was delivered before revision 12"},
	})
	requireAccepted(t, restoredRecording, map[string]func(*builder){
		"a read of a change that was not recorded before the restore": func(b *builder) {
			call := recording.Call{Client: "c8", Method: recording.Get, Game: "g/1", Local: true, Revision: 13, AsOf: 13, Outcome: recording.Done, Output: encode(record("g/1", "stopped", "x"))}
			for _, c := range b.Changes {
				if c.Revision == 12 && c.History == 0 {
					call.Started, call.Returned = c.At-1, c.At
				}
			}
			b.Calls = append(b.Calls[:2], append([]recording.Call{call}, b.Calls[2:]...)...)
		},
	})
	requireViolations(t, check.RuleWrites, restoredRecording, []violationCase{
		{"lost before the restore", func(b *builder) { b.drop(12, "transitions") }, "never applied"},
	})
}

package check_test

import (
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// localRecording has local reads at calls 1, 3 and 4, and local lists at calls 6 and 7.
func localRecording() *builder {
	b := newBuilder()
	b.put("g/1", "op-0", "running", "x")
	b.Calls[b.get("c2", "g/1")].Local = true
	b.update("g/1", "op-1", "stopped")
	b.Calls[b.get("c2", "g/1")].Local = true
	b.Calls[b.get("c2", "g2")].Local = true
	b.put("g2", "op-2", "running", "y")
	b.Calls[b.list("c2", "")].Local = true
	b.Calls[b.list("c2", "")].Local = true
	return b
}

func TestLocalReads(t *testing.T) {
	t.Parallel()
	show := func(b *builder, place, as int) {
		b.Calls[place].Revision, b.Calls[place].Output = b.Calls[as].Revision, b.Calls[as].Output
	}
	// staleList makes a list the one before the last write.
	staleList := func(b *builder, place int) {
		b.Calls[place].Revision, b.Calls[place].Items = b.Calls[2].Revision, b.Calls[place].Items[:1]
	}
	lastRead := func(b *builder) {
		call := b.Calls[3]
		call.Started, call.Returned = 0, 0
		b.call(call)
	}
	requireViolations(t, check.RuleLocal, localRecording, []violationCase{
		{"a read goes back", func(b *builder) { lastRead(b); show(b, 8, 1) }, "goes back to revision 11"},
		{"a list goes back", func(b *builder) { staleList(b, 7) }, "the list goes back"},
		{"a read misses a game that a list had", func(b *builder) {
			b.call(recording.Call{Client: "c2", Method: recording.Get, Game: "g2", Local: true, Outcome: recording.NotFound})
		}, "there was one since"},
		{"a read of the future", func(b *builder) { show(b, 1, 3) }, "only after it had returned"},
		{"a record that was never written", func(b *builder) { b.Calls[3].Revision = 9 }, "wrote no record"},
		{"another record", func(b *builder) { b.Calls[3].Output = b.Calls[1].Output }, "differs from the record of etcd"},
		{"a list with another record", func(b *builder) { b.Calls[6].Items[0].Status = "running" }, "as of revision"},
	})
	requireAccepted(t, localRecording, map[string]func(*builder){
		"a stale read":                    func(b *builder) { show(b, 3, 1) },
		"stale lists":                     func(b *builder) { staleList(b, 6); staleList(b, 7) },
		"an older read by another client": func(b *builder) { lastRead(b); show(b, 8, 1); b.Calls[8].Client = "c3" },
		"an older read at another node":   func(b *builder) { lastRead(b); show(b, 8, 1); b.Calls[8].Node = "eu/b" },
	})
}

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

// statedRecording has local reads that state their revision: of g1 as of 11 and 12, and of g2, which has no record,
// as of 12.
func statedRecording() *builder {
	b := newBuilder()
	read := func(game string) {
		place := b.get("c2", game)
		b.Calls[place].Local, b.Calls[place].AsOf, b.Calls[place].Node = true, b.revision, "eu/a"
	}
	b.put("g1", "op-0", "running", "x")
	read("g1")
	b.update("g1", "op-1", "stopped")
	read("g1")
	read("g2")
	b.put("g2", "op-2", "running", "y")
	return b
}

func TestStatedRevisions(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleLocal, statedRecording, []violationCase{
		{"an older record", func(b *builder) { b.Calls[3].Revision, b.Calls[3].Output = b.Calls[1].Revision, b.Calls[1].Output }, "at which etcd had another one"},
		{"a newer record", func(b *builder) { b.Calls[3].AsOf = b.Calls[1].AsOf }, "at which etcd had another one"},
		{"a record too early", func(b *builder) { b.Calls[1].AsOf = 1 }, "at which etcd had another one"},
		{"a missing record", func(b *builder) { b.Calls[3].Outcome, b.Calls[3].Revision = recording.NotFound, 0 }, "at which etcd had one"},
		{"a revision of the future", func(b *builder) { b.Calls[4].AsOf = b.revision + 1 }, "only after it had returned"},
		{"a revision goes back", func(b *builder) {
			b.Calls[4].Client, b.Calls[4].AsOf = "c3", b.Calls[1].AsOf
		}, "an earlier one was as of"},
	})
	requireAccepted(t, statedRecording, map[string]func(*builder){
		"stale reads": func(b *builder) {
			b.Calls[3].AsOf, b.Calls[3].Revision, b.Calls[3].Output, b.Calls[4].AsOf = b.Calls[1].AsOf, b.Calls[1].Revision, b.Calls[1].Output, b.Calls[1].AsOf
		},
		"at another node":    func(b *builder) { b.Calls[4].Node, b.Calls[4].AsOf, b.Calls[4].Client = "eu/b", b.Calls[1].AsOf, "c3" },
		"without a revision": func(b *builder) { b.Calls[3].AsOf = 0 },
		"concurrent reads": func(b *builder) {
			b.Calls[4].AsOf, b.Calls[4].Started = b.Calls[1].AsOf, b.Calls[3].Started
			b.Calls[4].Client = "c3"
		},
	})
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

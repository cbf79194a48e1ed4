package check_test

import (
	"encoding/json"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
)

// listsRecording has lists at calls 2, 4 and 5, and reads of ledgers at calls 6 and 8.
func listsRecording() *builder {
	b := newBuilder()
	b.put("g/1", "op-0", "running", "x")
	b.put("g2", "op-1", "running", "y")
	b.list("c2", "")
	b.update("g2", "op-2", "stopped")
	b.list("c2", "")
	b.list("c2", "running")
	b.ledger("c2", "g2")
	b.update("g2", "op-3", "running")
	b.ledger("c2", "g2")
	return b
}

func TestLists(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleLists, listsRecording, []violationCase{
		{"stale list", func(b *builder) { b.Calls[4].Revision, b.Calls[4].Items = b.Calls[2].Revision, b.Calls[2].Items }, "is stale"},
		{"list of the future", func(b *builder) { b.Calls[2].Revision, b.Calls[2].Items = b.Calls[4].Revision, b.Calls[4].Items }, "only after it had returned"},
		{"two revisions", func(b *builder) { b.Calls[4].Items[1] = b.Calls[2].Items[1] }, "as of revision"},
		{"pages of two revisions", func(b *builder) { b.Calls[4].Error = "pages at the revisions 1 and 2" }, "no single revision"},
		{"missing game", func(b *builder) { b.Calls[4].Items = b.Calls[4].Items[:1] }, "misses game g2"},
		{"a game twice", func(b *builder) { b.Calls[4].Items = append(b.Calls[4].Items, b.Calls[4].Items[0]) }, "twice"},
		{"another status", func(b *builder) { b.Calls[5].Items = b.Calls[4].Items }, "which has another"},
		{"unwritten game", func(b *builder) { b.Calls[4].Items[0].Game = "g3" }, "had no record"},
		{"ledger of an earlier time", func(b *builder) { b.Calls[8].Entries = b.Calls[6].Entries }, "is of another time"},
		{"missing entry", func(b *builder) { b.Calls[8].Entries = b.Calls[8].Entries[:2] }, "has 2 entries instead of 3"},
		{"empty ledger", func(b *builder) { b.Calls[8].Entries = nil }, "is empty"},
		{"another entry", func(b *builder) { b.Calls[8].Entries[1] = json.RawMessage(`{"seq":2}`) }, "entry 1 of the ledger"},
	})
}

package check_test

import (
	"strings"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// changesOf returns the changes of a revision whose key contains the text.
func (b *builder) changesOf(revision int64, text string) (places []int) {
	for i := range b.Changes {
		if b.Changes[i].Revision == revision && strings.Contains(b.Changes[i].Key, text) {
			places = append(places, i)
		}
	}
	return places
}

// drop removes the changes of a revision whose key contains the text.
func (b *builder) drop(revision int64, text string) {
	places := b.changesOf(revision, text)
	for i := len(places) - 1; i >= 0; i-- {
		b.Changes = append(b.Changes[:places[i]], b.Changes[places[i]+1:]...)
	}
}

// replace replaces a text in the values of a revision whose key contains the text.
func (b *builder) replace(revision int64, key, from, to string) {
	for _, place := range b.changesOf(revision, key) {
		b.Changes[place].Value = strings.ReplaceAll(b.Changes[place].Value, from, to)
	}
}

// invariantsRecording has the writes 11 running, 12 stopped, 13 running, 14 removed, 15 deleted,
// 16 of g/1, 17 to 59 of g2, 60 of live, a condition of live at 61, and 62 of live.
func invariantsRecording() *builder {
	b := writesRecording()
	for i := range 42 {
		b.update("g2", "more-"+string(rune('A'+i)), []string{"stopped", "running"}[i%2])
	}
	b.put("live", "op-live", "running", "l")
	b.setCondition("live", "health", "healthy")
	b.put("live", "op-next", "running", "l")
	return b
}

// setCondition writes a condition, which has no entry in the ledger.
func (b *builder) setCondition(game, field, value string) {
	last := b.changesOf(b.revisionOf(game), "/runtimes/")
	stored := b.Changes[last[0]].Value
	b.revision++
	b.tick()
	b.records[game] = with(b.records[game], field, value)
	stored = strings.Replace(stored, `"kind":`, `"has_newer_condition":true,"kind":`, 1)
	b.change("/runtimes/"+escape(game), strings.Replace(stored, "{", `{"`+field+`":"`+value+`",`, 1), false)
}

func TestInvariants(t *testing.T) {
	t.Parallel()
	requireViolations(t, check.RuleInvariants, invariantsRecording, []violationCase{
		{"index left over", func(b *builder) { b.drop(12, "by-status/running") }, "its index keys are"},
		{"index missing", func(b *builder) { b.drop(12, "by-status/stopped") }, "its index keys are"},
		{"index with another container", func(b *builder) { b.replace(12, "by-status/stopped", "x", "y") }, "its index keys are"},
		{"index of a deleted game", func(b *builder) { b.drop(15, "by-status") }, "there is no record, and its index keys are"},
		{"ledger of a deleted game", func(b *builder) { b.drop(15, "transitions/g%2F1/02") }, "there is a ledger"},
		{"no ledger entry", func(b *builder) { b.drop(12, "transitions") }, "the newest entry is 1"},
		{"another operation in the ledger", func(b *builder) { b.replace(12, "transitions", "op-1", "op-x") }, "operation op-x"},
		{"another status in the ledger", func(b *builder) { b.replace(12, "transitions", `"to":"stopped"`, `"to":"removed"`) }, "the newest entry has removed"},
		{"another container in the ledger", func(b *builder) { b.replace(12, "transitions", `"x"`, `"y"`) }, "the newest entry has stopped"},
		{"another start in the ledger", func(b *builder) { b.replace(12, "transitions", `"from":"running"`, `"from":"removed"`) }, "starts from"},
		{"gap in the ledger", func(b *builder) { b.replace(12, "", `"seq":2`, `"seq":34`) }, "entry 34 follows entry 1"},
		{"entry in another slot", func(b *builder) { b.replace(12, "transitions", `"seq":2`, `"seq":3`) }, "does not belong in slot"},
		{"slot outside of the ring", func(b *builder) { b.Changes[b.changesOf(12, "transitions")[0]].Key = "/p/transitions/g%2F1/32" }, "is not one of 00 to 31"},
		{"key that is no escape", func(b *builder) { b.Changes[b.changesOf(12, "transitions")[0]].Key = "/p/transitions/g%2f1/02" }, "is not the escape"},
		{"unreadable record", func(b *builder) { b.replace(12, "/runtimes/", "{", "[") }, "is not a record"},
		{"unreadable entry", func(b *builder) { b.replace(12, "transitions", "{", "[") }, "is not a ledger entry"},
		{"record of another game", func(b *builder) { b.replace(12, "/runtimes/", "g/1", "g2") }, "names game"},
		{"record that contradicts itself", func(b *builder) { b.replace(12, "/runtimes/", "stopped_at", "removed_at") }, "contradicts itself"},
		{"forbidden transition", func(b *builder) { b.replace(16, "/runtimes/", "upsert", "transition") }, "is not allowed"},
		{"deletion of a running game", func(b *builder) { b.applyDeletion("g2") }, "deleted while it was running"},
		{"deletion without the intent", func(b *builder) {
			b.Changes = append([]recording.Change{{Revision: 5, Key: "/p/operations/g%2F1", Value: "{}", Initial: true}}, b.Changes...)
		}, "without its intent"},
		{"more than the condition", func(b *builder) { b.replace(61, "/runtimes/", `"/s"`, `"/t"`) }, "without a ledger entry, in [state_path]"},
		{"record without an entry", func(b *builder) { b.replace(61, "/runtimes/", `"has_newer_condition":true,`, "") }, "changed without a ledger entry"},
		{"entry without a record", func(b *builder) { b.drop(62, "/runtimes/") }, "the newest entry is 2"},
		{"decreasing generation", func(b *builder) { b.replace(62, "/runtimes/", `"generation":1`, `"generation":0`) }, "the generation decreases"},
	})
	requireAccepted(t, invariantsRecording, map[string]func(*builder){
		"keys that existed at the start": func(b *builder) {
			b.Changes = append([]recording.Change{
				{Revision: 7, Key: "/p/runtimes-by-status/removed/old", Initial: true},
				{Revision: 7, Key: "/p/runtimes/old", Value: string(encode(with(record("old", "removed", ""), "last_write", map[string]any{"operation_id": "o", "seq": 33, "kind": "transition"}))), Initial: true},
				{Revision: 6, Key: "/p/transitions/old/00", Value: `{"seq":32,"operation_id":"n","to":"stopped"}`, Initial: true},
				{Revision: 7, Key: "/p/transitions/old/01", Value: `{"seq":33,"operation_id":"o","to":"removed","image":"i:1"}`, Initial: true},
			}, b.Changes...)
		},
	})
}

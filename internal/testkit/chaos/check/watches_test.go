package check_test

import (
	"encoding/json"
	"strings"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// open opens a stream of a watcher, after its last one.
func (b *builder) open(watcher string, open recording.Event) {
	open.Watcher, open.Type, open.Stream, open.At = watcher, recording.StreamOpen, 1, b.tick()
	for i := range b.Events {
		if b.Events[i].Watcher == watcher {
			open.Stream = b.Events[i].Stream + 1
		}
	}
	b.Events = append(b.Events, open)
}

// event adds an event to the last stream of the watcher, and returns its place.
func (b *builder) event(watcher string, e recording.Event) int {
	e.Watcher, e.At = watcher, b.tick()
	for i := range b.Events {
		if b.Events[i].Watcher == watcher {
			e.Stream = b.Events[i].Stream
		}
	}
	b.Events = append(b.Events, e)
	return len(b.Events) - 1
}

// shownRecord returns a stored record as events show it.
func shownRecord(stored string) json.RawMessage {
	var members map[string]any
	_ = json.Unmarshal([]byte(stored), &members)
	delete(members, "schema")
	delete(members, "last_write")
	return encode(members)
}

// deliver adds the event of a change.
func (b *builder) deliver(watcher string, revision int64, game string, last bool) {
	e := recording.Event{Revision: revision, Game: game, Last: last}
	for _, c := range b.Changes {
		if c.Key != "/p/runtimes/"+escape(game) || c.Revision > revision {
			continue
		}
		e.Before, e.After, e.Type = e.After, nil, "upserted"
		switch {
		case c.Deleted:
			e.Type = "deleted"
			continue
		case strings.Contains(c.Value, `"kind":"transition"`):
			e.Type = "transitioned"
		}
		e.After = shownRecord(c.Value)
	}
	b.event(watcher, e)
}

func (b *builder) snapshot(watcher string, revision int64, games ...string) {
	for _, game := range games {
		for i := len(b.Changes) - 1; i >= 0; i-- {
			if c := b.Changes[i]; c.Key == "/p/runtimes/"+escape(game) && c.Revision <= revision {
				b.event(watcher, recording.Event{Type: "snapshot", Revision: revision, Game: game, After: shownRecord(c.Value)})
				break
			}
		}
	}
	b.event(watcher, recording.Event{Type: "synced", Revision: revision, Last: true})
}

// watchesRecording has the streams of four watchers over the revisions
//
//	11 g/1 running, 12 g/1 stopped, 13 g/1 running and g2 running in one transaction,
//	14 another key, 15 g/1 removed, 16 g/1 deleted
func watchesRecording() *builder {
	b := newBuilder()
	b.put("g/1", "op-0", "running", "x")
	b.open("all", recording.Event{})                                        // 0
	b.snapshot("all", 11, "g/1")                                            // 1, 2
	b.open("stopped", recording.Event{From: 11, Status: "stopped"})         // 3
	b.open("resync", recording.Event{From: 11, Of: "g/1", Resync: true})    // 4
	b.update("g/1", "op-1", "stopped")                                      // revision 12
	b.put("g2", "op-2", "running", "y")                                     // revision 13
	b.revision--                                                            // both in one transaction
	b.update("g/1", "op-3", "running")                                      // revision 13
	b.revision++                                                            //
	b.change("/other", "", false)                                           // revision 14
	b.deliver("all", 12, "g/1", true)                                       // 5
	b.deliver("all", 13, "g2", false)                                       // 6
	b.deliver("all", 13, "g/1", true)                                       // 7
	b.event("all", recording.Event{Type: "bookmark", Revision: 14})         // 8
	b.event("all", recording.Event{Type: recording.StreamEnd, Reason: "x"}) // 9
	b.deliver("stopped", 12, "g/1", true)                                   // 10
	b.deliver("stopped", 13, "g/1", true)                                   // 11
	b.deliver("resync", 12, "g/1", true)                                    // 12
	b.update("g/1", "op-4", "removed")                                      // revision 15
	b.deleteGame("g/1", "op-5")                                             // revision 16
	b.open("all", recording.Event{From: 14})                                // 13
	b.deliver("all", 15, "g/1", true)                                       // 14
	b.deliver("all", 16, "g/1", true)                                       // 15
	b.event("resync", recording.Event{Type: "resync", Revision: 16, Reason: "compacted"})
	b.event("resync", recording.Event{Type: "deleted", Revision: 16, Game: "g/1", Before: b.Events[12].After})
	b.snapshot("resync", 16) // 18
	b.open("last", recording.Event{Region: "none"})
	b.snapshot("last", 16, "g2") // 20, 21
	return b
}

func TestWatches(t *testing.T) {
	t.Parallel()
	drop := func(place int) func(*builder) {
		return func(b *builder) { b.Events = append(b.Events[:place], b.Events[place+1:]...) }
	}
	edit := func(place int, change func(e *recording.Event)) func(*builder) {
		return func(b *builder) { change(&b.Events[place]) }
	}
	requireViolations(t, check.RuleWatches, watchesRecording, []violationCase{
		{"missing event", drop(5), "revision 12 of game g/1 was not delivered"},
		{"missing event before a bookmark", func(b *builder) { drop(7)(b); drop(6)(b) }, "was delivered before revision 13"},
		{"missing last event of a revision", drop(7), "a bookmark splits revision 13"},
		{"missing event of a revision", drop(6), "marked as the last one of revision 13, and 1 are missing"},
		{"event twice", func(b *builder) { b.event("all", b.Events[15]) }, "had been delivered"},
		{"events in another order", func(b *builder) { b.Events[14], b.Events[15] = b.Events[15], b.Events[14] }, "was not delivered before revision 16"},
		{"event at or below a bookmark", edit(8, func(e *recording.Event) { e.Revision = 15 }), "written only after it"},
		{"bookmark that goes back", edit(8, func(e *recording.Event) { e.Revision = 12 }), "follows revision 13"},
		{"missing event after a resume", drop(14), "revision 15 of game g/1 was not delivered"},
		{"event that does not match", func(b *builder) { b.deliver("stopped", 15, "g/1", true) }, "which the stream does not select"},
		{"leaving the filter is missing", func(b *builder) {
			drop(11)(b)
			b.event("stopped", recording.Event{Type: "bookmark", Revision: 14})
		}, "was delivered before revision 13"},
		{"revision split", edit(6, func(e *recording.Event) { e.Last = true }), "a consumer that resumes here"},
		{"last event not marked", edit(5, func(e *recording.Event) { e.Last = false }), "is not marked as such"},
		{"another type", edit(5, func(e *recording.Event) { e.Type = "upserted" }), "is of type transitioned"},
		{"another record before", func(b *builder) { b.Events[7].Before = b.Events[7].After }, "the record before the change differs"},
		{"another record after", func(b *builder) { b.Events[7].After = b.Events[7].Before }, "the record after the change differs"},
		{"no record before", edit(7, func(e *recording.Event) { e.Before = nil }), "no record before"},
		{"a record after a deletion", func(b *builder) { b.Events[15].After = b.Events[15].Before }, "has a record after"},
		{"snapshot misses a game", drop(20), "the snapshot misses game g2"},
		{"snapshot has a game twice", func(b *builder) {
			b.Events = append(b.Events[:21], b.Events[20], b.Events[21])
		}, "has game g2 twice"},
		{"snapshot of two revisions", edit(20, func(e *recording.Event) { e.Revision = 15 }), "of the revisions 15 and 16"},
		{"snapshot with another record", func(b *builder) { b.Events[1].After = b.Events[5].After }, "differs from etcd"},
		{"snapshot with a deleted game", edit(20, func(e *recording.Event) { e.Game = "g/1" }), "had no record"},
		{"snapshot of the future", func(b *builder) { b.Events[1].Revision, b.Events[2].Revision = 12, 12 }, "written only after it"},
		{"synced is not the last", edit(21, func(e *recording.Event) { e.Last = false }), "is not marked as the last"},
		{"resync without a reason", edit(16, func(e *recording.Event) { e.Reason = "" }), "starts over without a reason"},
		{"resync that was not requested", edit(4, func(e *recording.Event) { e.Resync = false }), "which the watcher did not request"},
		{"resync misses a deletion", drop(17), "misses the deletion of game g/1"},
		{"end without a reason", edit(9, func(e *recording.Event) { e.Reason = "" }), "ended without a reason"},
		{"no end", drop(9), "ended without a reason: the next one was opened"},
		{"event after the end", func(b *builder) { b.Events = append(b.Events[:10], b.Events[8]) }, "after its end"},
		{"behind although stable", func(b *builder) {
			drop(15)(b)
			b.Run.Stable = b.now
			b.now += 40 * second
			b.event("all", recording.Event{Type: recording.StreamEnd, Reason: "closed"})
		}, "was older than 30 s"},
		{"only failing streams although stable", func(b *builder) {
			drop(15)(b)
			b.Run.Stable = b.now
			for range 40 {
				b.event("all", recording.Event{Type: recording.StreamEnd, Reason: "503"})
				b.open("all", recording.Event{From: 15})
			}
		}, "the watcher received nothing since"},
		{"no snapshot although stable", func(b *builder) {
			drop(21)(b)
			b.Run.Stable = b.now
			b.now += 40 * second
			b.event("last", recording.Event{Type: recording.StreamEnd, Reason: "closed"})
		}, "the snapshot was not complete"},
	})
	requireAccepted(t, watchesRecording, map[string]func(*builder){
		"closed in the middle of a revision": func(b *builder) {
			b.Events = b.Events[:7]
			b.event("all", recording.Event{Type: recording.StreamEnd, Reason: "closed"})
		},
		"behind at the end, but not stable": drop(15),
		"resume within the recording":       func(b *builder) { b.open("late", recording.Event{From: 15}); b.deliver("late", 16, "g/1", true) },
	})
}

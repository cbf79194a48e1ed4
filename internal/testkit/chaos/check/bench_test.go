package check_test

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"galaxy/rtmanager/internal/testkit/chaos/check"
	"galaxy/rtmanager/internal/testkit/chaos/recording"
)

// generate returns a correct recording of a long run: writes writes, 9 other calls for each of them, and
// watchers that receive each change. Clients make concurrent calls, some of unknown outcome.
func generate(games, writes, watchers int) *builder {
	b, rng := newBuilder(), rand.New(rand.NewPCG(1, 2)) //nolint:gosec // reproducible
	b.Run.Games = map[string]string{}
	names := make([]string, games)
	for i := range names {
		names[i] = fmt.Sprintf("game-%d", i)
		b.Run.Games[names[i]] = "records"
	}
	for w := range watchers {
		b.open(fmt.Sprint("watcher-", w), recording.Event{From: b.revision})
	}
	const millisecond = int64(1e6)
	encoded := map[string]recording.Call{} // the last write of each game
	for i := range writes {
		game, operationID := names[rng.IntN(games)], fmt.Sprint("op-", i)
		client := func(k int) string { return fmt.Sprint("client-", k) }
		started := b.now
		call := recording.Call{Client: client(0), Method: recording.Put, Game: game, OperationID: operationID, Started: started, Outcome: recording.Done}
		if before := b.records[game]; before != nil && before["status"] == "running" {
			call.Method, call.From, call.To = recording.UpdateStatus, "running", "stopped"
			b.now -= second - millisecond // apply takes a second
			call.Revision = b.apply(game, operationID, "transition", transitioned(before, "stopped"))
		} else {
			input := with(record(game, "running", "x"), "state_path", operationID)
			call.Input = encode(input)
			b.now -= second - millisecond
			call.Revision = b.apply(game, operationID, "upsert", input)
		}
		call.Output = encode(b.records[game])
		call.Returned = b.now + millisecond
		before := encoded[game]
		encoded[game] = call
		if rng.IntN(20) == 0 {
			call.Outcome, call.Revision, call.Output = recording.Unknown, 0, nil
		}
		// a read that is concurrent with the write, and shows the record before or after it
		shown := encoded[game]
		if before.Revision != 0 && rng.IntN(2) == 0 {
			shown = before
		}
		reads := []recording.Call{{Client: client(1), Method: recording.Get, Game: game, Started: started, Returned: b.now, Outcome: recording.Done, Revision: shown.Revision, Output: shown.Output}}
		for w := range watchers {
			e := recording.Event{Watcher: fmt.Sprint("watcher-", w), Stream: 1, At: b.now, Type: "upserted", Revision: b.revision, Game: game, Last: true, Before: before.Output, After: encoded[game].Output}
			if encoded[game].Method == recording.UpdateStatus {
				e.Type = "transitioned"
			}
			b.Events = append(b.Events, e)
		}
		b.now += 2 * millisecond
		for k := range 8 {
			other := encoded[names[rng.IntN(games)]]
			if other.Game == "" {
				other = encoded[game]
			}
			reads = append(reads, recording.Call{
				Client: client(2 + k), Method: recording.Get, Local: k == 0, Game: other.Game, Started: b.now, Returned: b.now + millisecond, Outcome: recording.Done, Revision: other.Revision, Output: other.Output,
			})
		}
		b.now += 2 * millisecond
		b.Calls = append(append(b.Calls, reads[0], call), reads[1:]...)
	}
	return b
}

// BenchmarkCheck checks a recording of 1 000 000 calls, 100 000 writes and 1 000 000 events.
func BenchmarkCheck(b *testing.B) {
	for _, games := range []int{6, 1000} {
		b.Run(fmt.Sprint("games=", games), func(b *testing.B) {
			r := generate(games, 100_000, 10)
			b.ReportMetric(float64(len(r.Calls)), "calls")
			b.ReportMetric(float64(len(r.Events)), "events")
			b.ReportMetric(float64(len(r.Changes)), "changes")
			b.ReportAllocs()
			for b.Loop() {
				if report := check.Check(&r.Recording); len(report.Violations) > 0 {
					b.Fatal(report.Violations[0])
				}
			}
		})
	}
}

func TestGeneratedRecordingIsCorrect(t *testing.T) {
	t.Parallel()
	report := check.Check(&generate(6, 1000, 3).Recording)
	for _, v := range report.Violations {
		t.Error(v)
	}
}

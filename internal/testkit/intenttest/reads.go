package intenttest

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/storetest"
)

func intentReadTests() []intentTest {
	return []intentTest{
		{"GetIntent of a game without an intent returns an empty one at revision 0", testIntentAbsent},
		{"an intent is returned as it was written", testIntentRoundTrip},
		{"an intent shares no memory with the store", testIntentSharesNothing},
		{"all valid ids name distinct games", testIntentIDs},
		{"an invalid id is ErrInvalid", testIntentInvalidIDs},
		{"GetIntentAndRecord returns intent and record, each empty if there is none", testGetIntentAndRecord},
		{"GetIntentAndRecordLocal returns what the store has written, or that it is not known", testGetIntentAndRecordLocal},
		{"AwaitIntent returns a later version, also one that exists already", testAwaitIntent},
		{"GetIntents returns the intents in the order of the request", testGetIntentsOfManyGames},
		{"GamesWithActiveOperation returns the games of one node or region", testIntentsInProgress},
		{"GamesOfOperation returns the games that have the operation", testGamesOfOperation},
		{"reads and writes end when their context has ended", testIntentContexts},
	}
}

func testIntentAbsent(t *testing.T, _ Harness, s ports.IntentStore) {
	putIntent(t, s, fullIntent("other"), 0)
	require.Equal(t, intentAt(operation.Intent{GameID: "a"}, 0), readIntent(t, s, "a"))
}

func testIntentRoundTrip(t *testing.T, _ Harness, s ports.IntentStore) {
	for _, intent := range []operation.Intent{fullIntent("full"), {GameID: "bare"}, {GameID: "desired", DesiredStatus: runtime.StatusStopped}} {
		revision := putIntent(t, s, intent, 0)
		want := intentAt(intent, revision)
		require.Equal(t, want, readIntent(t, s, intent.GameID))
		require.Equal(t, []ports.VersionedIntent{want}, readIntents(t, s, intent.GameID))
	}
}

func testIntentSharesNothing(t *testing.T, _ Harness, s ports.IntentStore) {
	intent := fullIntent("a")
	putIntent(t, s, intent, 0)
	mutate := func(in operation.Intent) {
		in.Spec.Env["A"], in.Spec.Args[0] = "changed", "changed"
		in.Current.Step, in.Current.PreviousRecord.Node = "changed", "changed"
		in.Recent[0].OperationID, in.Restarts[0] = "changed", storetest.TimeAt(99)
	}
	mutate(intent)
	mutate(readIntent(t, s, "a").Intent)
	mutate(readIntents(t, s, "a")[0].Intent)
	require.Equal(t, fullIntent("a"), readIntent(t, s, "a").Intent)
}

func testIntentIDs(t *testing.T, _ Harness, s ports.IntentStore) {
	var want []ports.VersionedIntent
	for _, id := range storetest.ValidGameIDs() {
		intent := operation.Intent{GameID: id, DesiredStatus: runtime.StatusRunning, Spec: operation.Spec{Image: "x:" + url.PathEscape(id)}}
		want = append(want, intentAt(intent, putIntent(t, s, intent, 0)))
	}
	for _, w := range want {
		require.Equal(t, w, readIntent(t, s, w.Intent.GameID))
	}
}

func testIntentInvalidIDs(t *testing.T, _ Harness, s ports.IntentStore) {
	for name, id := range storetest.InvalidGameIDs() {
		_, err := s.GetIntent(t.Context(), id)
		storetest.RequireInvalid(t, err, "game_id")
		_, _, err = s.GetIntentAndRecord(t.Context(), id)
		storetest.RequireInvalid(t, err, "game_id")
		_, err = s.PutIntent(t.Context(), operation.Intent{GameID: id}, ports.IntentVersion{})
		require.ErrorIs(t, err, runtime.ErrInvalid, name)
	}
	_, err := s.GetIntents(t.Context(), []string{"good", ""})
	storetest.RequireInvalid(t, err, "game_id")
}

func testGetIntentAndRecord(t *testing.T, _ Harness, s ports.IntentStore) {
	requireBoth := func(intent ports.VersionedIntent, record runtime.VersionedRecord) {
		t.Helper()
		foundIntent, foundRecord, err := s.GetIntentAndRecord(t.Context(), "a")
		require.NoError(t, err)
		require.Equal(t, intent, intentAt(foundIntent.Intent, foundIntent.Revision))
		require.Equal(t, record, foundRecord)
	}
	requireBoth(intentAt(operation.Intent{GameID: "a"}, 0), runtime.VersionedRecord{})
	running, err := recordsOf(s).Put(t.Context(), ports.PutInput{Record: storetest.RunningRecord("a")})
	require.NoError(t, err)
	requireBoth(intentAt(operation.Intent{GameID: "a"}, 0), running)
	version, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{})
	require.NoError(t, err)
	requireBoth(intentAt(fullIntent("a"), version.Revision), running)

	found, _, err := s.GetIntentAndRecord(t.Context(), "a")
	require.NoError(t, err)
	_, err = s.PutIntent(t.Context(), fullIntent("a"), found.IntentVersion)
	require.NoError(t, err, "the version can be replaced")
}

func testGetIntentAndRecordLocal(t *testing.T, _ Harness, s ports.IntentStore) {
	_, _, isKnown := s.GetIntentAndRecordLocal("a")
	require.False(t, isKnown, "a game without an intent")
	requireKnown := func(intent ports.VersionedIntent, record runtime.VersionedRecord) {
		t.Helper()
		var foundIntent ports.VersionedIntent
		var foundRecord runtime.VersionedRecord
		var isKnown bool
		require.Eventually(t, func() bool { // a store that still reads its records may not keep a write of that time
			foundIntent, foundRecord, isKnown = s.GetIntentAndRecordLocal("a")
			return !isKnown || foundRecord.Revision == record.Revision
		}, time.Minute, time.Millisecond)
		if isKnown { // a store without a cache knows nothing
			require.Equal(t, intent, intentAt(foundIntent.Intent, foundIntent.Revision))
			require.Equal(t, record, foundRecord)
		}
	}
	version, err := s.PutIntent(t.Context(), fullIntent("a"), ports.IntentVersion{})
	require.NoError(t, err)
	requireKnown(intentAt(fullIntent("a"), version.Revision), runtime.VersionedRecord{})
	running, err := recordsOf(s).Put(t.Context(), ports.PutInput{Record: storetest.RunningRecord("a")})
	require.NoError(t, err)
	requireKnown(intentAt(fullIntent("a"), version.Revision), running)
	found, _, isKnown := s.GetIntentAndRecordLocal("a")
	if isKnown {
		found.Intent.Labels = map[string]string{"mutated": "yes"}
		version, err = s.PutIntent(t.Context(), operation.Intent{GameID: "a"}, found.IntentVersion)
		require.NoError(t, err, "the version can be replaced")
		requireKnown(intentAt(operation.Intent{GameID: "a"}, version.Revision), running)
	}
}

func testAwaitIntent(t *testing.T, _ Harness, s ports.IntentStore) {
	first := putIntent(t, s, fullIntent("a"), 0)
	found, err := s.AwaitIntent(t.Context(), "a", 0)
	require.NoError(t, err)
	require.Equal(t, intentAt(fullIntent("a"), first), intentAt(found.Intent, found.Revision), "it exists")

	type result struct {
		intent ports.VersionedIntent
		err    error
	}
	results := make(chan result, 1)
	go func() {
		intent, err := s.AwaitIntent(t.Context(), "a", first)
		results <- result{intent, err}
	}()
	putIntent(t, s, fullIntent("b"), 0) // another game's
	second := putIntent(t, s, operation.Intent{GameID: "a"}, first)
	got := <-results
	require.NoError(t, got.err)
	require.Equal(t, intentAt(operation.Intent{GameID: "a"}, second), intentAt(got.intent.Intent, got.intent.Revision))

	_, err = s.AwaitIntent(storetest.CanceledContext(t), "a", second)
	require.ErrorIs(t, err, context.Canceled)
	_, err = s.AwaitIntent(t.Context(), "", 0)
	storetest.RequireInvalid(t, err, "game_id")
}

func testGetIntentsOfManyGames(t *testing.T, _ Harness, s ports.IntentStore) {
	require.Empty(t, readIntents(t, s))
	const games = 250 // etcdstore reads 100 per request
	var requested []string
	var want []ports.VersionedIntent
	for n := range games {
		requested = append(requested, storetest.GameName(n))
		want = append(want, intentAt(operation.Intent{GameID: storetest.GameName(n)}, 0))
		if n%3 > 0 {
			want[n].Revision = putIntent(t, s, want[n].Intent, 0)
		}
	}
	slices.Reverse(requested)
	slices.Reverse(want)
	require.Equal(t, want, readIntents(t, s, requested...))
	require.Equal(t, want[:1], readIntents(t, s, requested[0]))
}

func testGamesOfOperation(t *testing.T, _ Harness, s ports.IntentStore) {
	requireGames := func(operationID string, want ...string) {
		t.Helper()
		games, err := s.GamesOfOperation(t.Context(), operationID)
		require.NoError(t, err)
		require.ElementsMatch(t, want, games, "games of operation %q", operationID)
	}
	requireGames("op-1")
	intent := operation.Intent{GameID: "a/🎲", Current: &operation.Operation{ID: "op-1", Region: "eu", Node: "n1"}}
	revision := putIntent(t, s, intent, 0)
	shared := putIntent(t, s, operation.Intent{GameID: "b", Current: &operation.Operation{ID: "op-1", Region: "eu", Node: "n1"}}, 0)
	requireGames("op-1", "a/🎲", "b")
	requireGames("op")
	requireGames("op-1/")
	requireGames("")

	for n := 1; n <= operation.MaxRecent; n++ { // the first operation stays among the recent ones
		intent.AddOutcome(operation.Outcome{OperationID: fmt.Sprintf("op-%d", n)})
		intent.Current = &operation.Operation{ID: fmt.Sprintf("op-%d", n+1), Region: "eu", Node: "n1", PreemptedBy: &operation.Preemption{OperationID: "stop/%"}}
		revision = putIntent(t, s, intent, revision)
	}
	requireGames("op-1", "a/🎲", "b")
	requireGames("op-9", "a/🎲")
	requireGames("op-17", "a/🎲")
	requireGames("stop/%", "a/🎲")

	intent.AddOutcome(operation.Outcome{OperationID: "op-17"})
	intent.Current = nil
	revision = putIntent(t, s, intent, revision)
	requireGames("op-1", "b")
	requireGames("op-2", "a/🎲")
	requireGames("stop/%")
	putIntent(t, s, operation.Intent{GameID: "a/🎲"}, revision)
	putIntent(t, s, operation.Intent{GameID: "b"}, shared)
	for _, id := range []string{"op-1", "op-2", "op-17"} {
		requireGames(id)
	}
}

func testIntentsInProgress(t *testing.T, _ Harness, s ports.IntentStore) {
	revisions := map[string]int64{}
	setNode := func(gameID, region, node string) {
		t.Helper()
		intent := operation.Intent{GameID: gameID}
		if node != "" {
			intent.Current = &operation.Operation{ID: "op", Region: region, Node: node}
		}
		revisions[gameID] = putIntent(t, s, intent, revisions[gameID])
	}
	requireOn := func(region, node string, want ...string) {
		t.Helper()
		games, err := s.GamesWithActiveOperation(t.Context(), region, node)
		require.NoError(t, err)
		require.Equal(t, append([]string{}, want...), games, "operations of %s/%s", region, node)
	}
	requireOn("eu", "n1")
	setNode("b", "eu", "n1")
	setNode("a/🎲", "eu", "n1")
	setNode("c", "eu", "n12")
	setNode("d", "eu-2", "n1")
	setNode("e", "", "")
	requireOn("eu", "n1", "a/🎲", "b")
	requireOn("eu", "n12", "c")
	requireOn("eu-2", "n1", "d")
	requireOn("eu", "n")
	games, err := s.GamesWithActiveOperation(t.Context(), "eu", "")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a/🎲", "b", "c"}, games, "operations of region eu")
	games, err = s.GamesWithActiveOperation(t.Context(), "", "")
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"a/🎲", "b", "c", "d"}, games, "operations of all regions")

	setNode("b", "eu", "n1") // a step of the same operation
	setNode("c", "eu", "n1") // rescheduled to another node
	setNode("a/🎲", "", "")   // finished
	requireOn("eu", "n1", "b", "c")
	requireOn("eu", "n12")
}

func testIntentContexts(t *testing.T, _ Harness, s ports.IntentStore) {
	revision := putIntent(t, s, fullIntent("a"), 0)
	ctx := storetest.CanceledContext(t)
	for method, call := range map[string]func() error{
		"GetIntent":                func() error { _, err := s.GetIntent(ctx, "a"); return err },
		"GetIntentAndRecord":       func() error { _, _, err := s.GetIntentAndRecord(ctx, "a"); return err },
		"GetIntents":               func() error { _, err := s.GetIntents(ctx, []string{"a"}); return err },
		"GamesOfOperation":         func() error { _, err := s.GamesOfOperation(ctx, "op"); return err },
		"GamesWithActiveOperation": func() error { _, err := s.GamesWithActiveOperation(ctx, "eu", "n1"); return err },
		"PutIntent": func() error {
			_, err := s.PutIntent(ctx, operation.Intent{GameID: "a"}, ports.IntentVersion{Revision: revision})
			return err
		},
	} {
		require.ErrorIs(t, call(), context.Canceled, method)
	}
	require.Equal(t, intentAt(fullIntent("a"), revision), readIntent(t, s, "a"))
}

package etcdstore_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/intenttest"
)

// TestIntentConformance runs every contract test of intent stores over both kinds of
// client.
func TestIntentConformance(t *testing.T) {
	for name, client := range map[string]func(testing.TB) *clientv3.Client{"tcp": etcdtest.Client, "in process": etcdtest.InProcess} {
		fences := harness(nil, etcdstore.Options{}).Fences
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			intenttest.Run(t, intenttest.Harness{
				Open:   func(t *testing.T) ports.IntentStore { return newFixture(t, client(t), etcdstore.Options{}) },
				Grant:  func(t *testing.T, s ports.IntentStore) node.Fence { return fences.Grant(t, s.(fixture)) },
				Revoke: func(t *testing.T, s ports.IntentStore, fence node.Fence) { fences.Revoke(t, s.(fixture), fence) },
				Corrupt: func(_ *testing.T, s ports.IntentStore, gameID string) (string, int64) {
					return s.(fixture).prefix + "/operations/" + gameID, s.(fixture).putRaw("/operations/"+gameID, "garbage")
				},
			})
		})
	}
}

// TestLayoutOfAnIntent asserts the keys and the value of an intent.
func TestLayoutOfAnIntent(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r.putIntent(operation.Intent{
		GameID: "a/b", DesiredStatus: runtime.StatusRunning, Spec: operation.Spec{Image: "game:1", StopGrace: operation.Duration(90 * time.Second)},
		Current: &operation.Operation{
			ID: "op-1", Kind: operation.KindStart, Region: "eu", Node: "n1", Session: 7, StartedAt: at, Deadline: at, StepAt: at,
			Step: operation.StepAccepted, Spec: operation.Spec{Image: "game:2"},
		},
	}, ports.IntentVersion{})
	require.Equal(t, []string{"/meta/schema", "/operations-by-id/op-1/a%2Fb", "/operations-by-node/eu/n1/a%2Fb", "/operations/a%2Fb"}, keysOf(r.dump()))
	value := r.value("/operations/a%2Fb")
	require.Regexp(t, `"write_id":"[0-9a-f-]{36}"`, value)
	require.JSONEq(t, `{"game_id":"a/b","desired_status":"running","schema":1,"spec":{"image":"game:1","stop_grace":"1m30s"},
		"current":{"id":"op-1","kind":"start","region":"eu","node":"n1","session":7,"started_at":"2026-03-01T12:00:00Z",
		"deadline":"2026-03-01T12:00:00Z","step_at":"2026-03-01T12:00:00Z","step":"accepted","spec":{"image":"game:2"}}}`,
		strings.Replace(value, value[strings.Index(value, `,"write_id":`):strings.Index(value, `,"write_id":`)+len(`,"write_id":""`)+36], "", 1))
}

// TestUnknownMembersOfAnIntentSurvive overwrites what a newer version has written: the
// operation and outcome that remain keep their unknown members, and no other gets them.
func TestUnknownMembersOfAnIntentSurvive(t *testing.T) {
	t.Parallel()
	for name, version := range map[string]func(ports.IntentVersion) ports.IntentVersion{
		"with the stored form":    func(v ports.IntentVersion) ports.IntentVersion { return v },
		"with the revision alone": func(v ports.IntentVersion) ports.IntentVersion { return ports.IntentVersion{Revision: v.Revision} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			testUnknownMembersOfAnIntent(t, version)
		})
	}
}

func testUnknownMembersOfAnIntent(t *testing.T, version func(ports.IntentVersion) ports.IntentVersion) {
	r := sharedFixture(t)
	r.putRaw("/operations/a", `{"game_id":"a","desired_status":"running","top":{"x":1.50},"schema":1,"write_id":"w",
		"spec":{"image":"i","spec_extra":"\u0041"},
		"current":{"id":"op-2","kind":"stop","step":"accepted","op_extra":[null],"spec":{"image":"j","inner_extra":1}},
		"recent":[{"operation_id":"op-1","kind":"start","outcome_extra":true}]}`)
	requireExtras := func(want ...string) {
		t.Helper()
		value := r.value("/operations/a")
		for _, extra := range []string{`"top":{"x":1.50}`, `"spec_extra":"\u0041"`, `"op_extra":[null]`, `"inner_extra":1`, `"outcome_extra":true`} {
			require.Equal(t, strings.Contains(strings.Join(want, " "), extra), strings.Contains(value, extra), "%s in %s", extra, value)
		}
	}
	read := r.intent("a")
	found, at := read.Intent, version(read.IntentVersion)
	found.Current.Step, found.Spec.Image = operation.StepStopping, "k"
	at = version(r.putIntent(found, at))
	requireExtras(`"top":{"x":1.50}`, `"spec_extra":"\u0041"`, `"op_extra":[null]`, `"inner_extra":1`, `"outcome_extra":true`)
	require.Equal(t, found, r.intent("a").Intent)

	found.Recent = append([]operation.Outcome{{OperationID: "op-2", Kind: operation.KindStop}}, found.Recent...)
	found.Current = &operation.Operation{ID: "op-3"}
	at = version(r.putIntent(found, at))
	requireExtras(`"top":{"x":1.50}`, `"spec_extra":"\u0041"`, `"outcome_extra":true`)

	found.Current, found.Recent = nil, nil
	r.putIntent(found, at)
	requireExtras(`"top":{"x":1.50}`, `"spec_extra":"\u0041"`)
}

// TestIntentIsWrittenByOneRequest counts the requests of inserts and overwrites.
func TestIntentIsWrittenByOneRequest(t *testing.T) {
	t.Parallel()
	r := newFaultyFixture(t)
	require.NoError(t, r.Ready(t.Context()))
	reads := 0
	r.faults.OnRead(func(context.Context) error { reads++; return nil })
	r.faults.OnWrite(nil)
	at := r.putIntent(operation.Intent{GameID: "new", Spec: operation.Spec{Image: "a"}}, ports.IntentVersion{})
	r.putIntent(operation.Intent{GameID: "new", Spec: operation.Spec{Image: "b"}}, at)
	require.Zero(t, reads)
	require.Equal(t, 2, r.faults.Writes())
	_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "new"}, at)
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.Equal(t, 3, r.faults.Writes())
}

// TestStaleVersionOfACorruptIntent replaces an intent that has become unreadable since it
// was read.
func TestStaleVersionOfACorruptIntent(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	at := r.putIntent(operation.Intent{GameID: "bad"}, ports.IntentVersion{})
	r.putRaw("/operations/bad", "garbage")
	before := r.dump()
	for _, version := range []ports.IntentVersion{{}, at} {
		_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "bad"}, version)
		require.ErrorIs(t, err, runtime.ErrConflict)
		require.ErrorIs(t, err, runtime.ErrCorrupt)
	}
	require.Equal(t, before, r.dump())
}

// corruptIntents are values that this version cannot decode.
var corruptIntents = map[string]string{
	"not JSON":              `garbage`,
	"empty":                 ``,
	"an array":              `[]`,
	"null":                  `null`,
	"duplicate members":     `{"game_id":"bad","x":1,"x":2}`,
	"invalid UTF-8":         `{"game_id":"bad","x":"` + "\xff" + `"}`,
	"a newer schema":        `{"game_id":"bad","schema":2}`,
	"newer, other types":    `{"game_id":7,"schema":9}`,
	"another game's":        `{"game_id":"good"}`,
	"a wrong type":          `{"game_id":"bad","current":[]}`,
	"another kind of value": `{"version":2,"store_id":"x"}`,
}

func TestCorruptIntentIsReportedAndKept(t *testing.T) {
	t.Parallel()
	for name, value := range corruptIntents {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := sharedFixture(t)
			r.put(runningRecord("bad"))
			r.putIntent(operation.Intent{GameID: "good"}, ports.IntentVersion{})
			at := r.putRaw("/operations/bad", value)
			before := r.dump()
			_, err := r.GetIntent(t.Context(), "bad")
			r.requireCorrupt(err, "/operations/bad", "bad", "GetIntent")
			found, err := r.GetIntents(t.Context(), []string{"bad", "good"})
			r.requireCorrupt(err, "/operations/bad", "bad", "GetIntents")
			require.NotZero(t, found[1].Revision)
			_, err = r.PutIntent(t.Context(), operation.Intent{GameID: "bad"}, ports.IntentVersion{Revision: at})
			r.requireCorrupt(err, "/operations/bad", "bad", "PutIntent")

			r.requireFinding(ports.FindingIntentUnreadable, "/operations/bad", "bad", "")
			_, err = r.Check(t.Context(), true)
			require.NoError(t, err)
			require.Equal(t, before, r.dump(), "the store changed a corrupt value")
		})
	}
}

func TestForeignKeyAmongIntentsIsReported(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"/operations/a/b", "/operations/%2f", "/operations/"} {
		r := sharedFixture(t)
		r.putRaw(key, `{"game_id":"a/b"}`)
		r.requireFinding(ports.FindingKeyForeign, key, "", "")
	}
}

// TestRecordsDoNotSeeIntents writes intents of games with and without a record: lists,
// watches, the cache and the check of records ignore them.
func TestRecordsDoNotSeeIntents(t *testing.T) { withAndWithoutCache(t, testRecordsDoNotSeeIntents) }

func testRecordsDoNotSeeIntents(t *testing.T) {
	r := sharedFixture(t)
	result := r.put(runningRecord("game"))
	s := r.watch(ports.WatchOptions{})
	s.synced()
	for n := range 5 {
		r.putIntent(operation.Intent{GameID: fmt.Sprint("new-", n)}, ports.IntentVersion{})
		r.putIntent(operation.Intent{GameID: "game"}, r.intent("game").IntentVersion)
	}
	found, err := r.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, result, found)
	records, err := r.List(t.Context())
	require.NoError(t, err)
	require.Equal(t, []string{"game"}, idsOf(records))
	r.requireClean()
	s.change(r.transition("game", runtime.StatusRunning, runtime.StatusStopped)) // with no event before it
	require.Equal(t, "game", r.intent("game").Intent.GameID)
}

// TestIntentsAtTheQuota fills etcd: writes return ErrReadOnly, reads continue.
func TestIntentsAtTheQuota(t *testing.T) {
	t.Parallel()
	r := newFixture(t, etcdtest.Start(t, etcdtest.Quota(256<<10)).Client(), etcdstore.Options{})
	at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
	fill(r)
	_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "game"}, at)
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	_, err = r.PutIntent(t.Context(), operation.Intent{GameID: "new"}, ports.IntentVersion{})
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	require.Equal(t, at.Revision, r.intent("game").Revision)
}

func (r fixture) putIntent(intent operation.Intent, replaces ports.IntentVersion) ports.IntentVersion {
	r.t.Helper()
	version, err := r.PutIntent(r.t.Context(), intent, replaces)
	require.NoError(r.t, err, "put the intent of %q", intent.GameID)
	return version
}

func (r fixture) intent(gameID string) ports.VersionedIntent {
	r.t.Helper()
	found, err := r.GetIntent(r.t.Context(), gameID)
	require.NoError(r.t, err, "get the intent of %q", gameID)
	return found
}

// TestIndexOfOperationsIsChecked compares the index of operations with the intents, and
// repairs it.
func TestIndexOfOperationsIsChecked(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.putIntent(operation.Intent{GameID: "here", Current: &operation.Operation{ID: "op", Region: "eu", Node: "n1"}}, ports.IntentVersion{})
	r.putIntent(operation.Intent{GameID: "idle"}, ports.IntentVersion{})
	const missing, extra, malformed = "/operations-by-node/eu/n1/here", "/operations-by-node/eu/n1/idle", "/operations-by-node/eu"
	r.requireClean()
	requireRepaired := func(kind ports.CheckFindingKind, key, gameID, repair string) {
		t.Helper()
		r.requireFinding(kind, key, gameID, repair)
		_, err := r.Check(t.Context(), true)
		require.NoError(t, err)
		r.requireClean()
	}
	r.deleteRaw(missing)
	requireRepaired(ports.FindingIndexMissing, missing, "here", "write the index key")
	r.putRaw(extra, "")
	requireRepaired(ports.FindingIndexExtra, extra, "idle", "delete the index key")
	r.putRaw(malformed, "")
	requireRepaired(ports.FindingIndexExtra, malformed, "", "delete the index key")
	r.putRaw("/operations-by-id/op", "")
	requireRepaired(ports.FindingIndexExtra, "/operations-by-id/op", "", "delete the index key")
	for _, key := range []string{"/operations-by-id/op/idle", "/operations-by-id/other/here"} { // as an earlier version leaves them
		r.putRaw(key, "")
		r.requireClean()
		report, err := r.Check(t.Context(), true)
		require.NoError(t, err)
		require.Len(t, report.Findings, 1)
		require.True(t, strings.HasSuffix(report.Findings[0].Key, key), report.Findings[0].Key)
		require.True(t, report.Findings[0].Repaired)
		report, err = r.Check(t.Context(), true)
		require.NoError(t, err)
		require.Empty(t, report.Findings)
	}
	r.deleteRaw("/operations-by-id/op/here")
	r.requireClean() // as for an operation that an earlier version has started
	games, err := r.GamesWithActiveOperation(t.Context(), "eu", "n1")
	require.NoError(t, err)
	require.Equal(t, []string{"here"}, games)
}

// TestIntentOfAReplacedStore replaces the identity of the store: what follows belongs to
// another store.
func TestIntentOfAReplacedStore(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
	r.putRaw("/meta/schema", `{"version":2,"store_id":"another"}`)
	before := r.dump()
	_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "new"}, ports.IntentVersion{})
	require.ErrorIs(t, err, runtime.ErrIncompatible, "insert")
	_, err = r.PutIntent(t.Context(), operation.Intent{GameID: "game"}, at)
	require.ErrorIs(t, err, runtime.ErrIncompatible, "overwrite")
	_, err = r.PutIntent(t.Context(), operation.Intent{GameID: "game"}, ports.IntentVersion{})
	require.ErrorIs(t, err, runtime.ErrConflict)
	require.Equal(t, before, r.dump())
}

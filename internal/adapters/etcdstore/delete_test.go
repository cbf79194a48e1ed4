package etcdstore_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// removedRecord returns the record of a removed game.
func removedRecord(gameID string) runtime.RuntimeRecord {
	rec := runningRecord(gameID)
	at := rec.LastOpAt
	rec.Status, rec.CurrentContainerID, rec.RemovedAt = runtime.StatusRemoved, "", &at
	return rec
}

// keys returns the keys of the store, without its identity and its deletion epochs.
func (r fixture) keys() []string {
	r.t.Helper()
	resp, err := r.etcd.Get(r.t.Context(), r.prefix+"/", clientv3.WithPrefix(), clientv3.WithKeysOnly())
	require.NoError(r.t, err)
	var keys []string
	for _, kv := range resp.Kvs {
		if key := string(kv.GetKey())[len(r.prefix):]; !strings.HasPrefix(key, "/meta/") && key != "/filler" {
			keys = append(keys, key)
		}
	}
	return keys
}

func TestDeleteLeavesNoKeyOfTheGame(t *testing.T) { inEveryMode(t, testDeleteLeavesNoKeyOfTheGame) }

func testDeleteLeavesNoKeyOfTheGame(t *testing.T) {
	r := sharedFixture(t)
	r.put(runningRecord("game/1")) // the ledger of another id with the same start
	r.putRaw("/secrets/game.game%2F1", "{}")
	want := r.keys()
	for range 40 { // more than the ledger has slots
		r.put(runningRecord("game"))
	}
	r.put(removedRecord("game"))
	intent := operation.Intent{GameID: "game"}
	for n := range operation.MaxRecent {
		intent.AddOutcome(operation.Outcome{OperationID: fmt.Sprintf("op-%d", n)})
	}
	r.putIntent(intent, ports.IntentVersion{})
	r.putRaw("/runtimes-by-status/stopped/game", "wrong")
	r.putRaw("/secrets/game.game", "{}")
	require.NoError(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}))
	require.Equal(t, want, r.keys())
	require.Contains(t, r.dump(), layout.NewKeys("").DeletionEpoch("game"))
	r.requireClean()
}

func TestDeleteDuringAnOperationIsRejected(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.put(removedRecord("game"))
	current := operation.Operation{ID: "op-1", Kind: operation.KindStart, Region: "eu", Node: "n1", Step: operation.StepPulling}
	r.putIntent(operation.Intent{GameID: "game", Current: &current}, ports.IntentVersion{})
	before := r.keys()
	err := r.Delete(t.Context(), ports.DeleteInput{GameID: "game"})
	busy, ok := errors.AsType[*operation.BusyError](err)
	require.True(t, ok, "%v", err)
	require.Equal(t, "op-1", busy.OperationID)
	require.Equal(t, "eu/n1", busy.Holder)
	require.Equal(t, before, r.keys())
}

// An operation that is accepted between the read and the transaction of a deletion prevents
// it, also for a game without an intent.
func TestDeleteLosesToAConcurrentIntent(t *testing.T) {
	t.Parallel()
	for name, hasIntent := range map[string]bool{"first intent": false, "next intent": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, faults := newFaultyClient(t)
			r := newFixture(t, client, etcdstore.Options{})
			other := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
			r.put(removedRecord("game"))
			var version ports.IntentVersion
			if hasIntent {
				version = r.putIntent(operation.Intent{GameID: "game"}, version)
			}
			faults.OnFirstWrite(faultkv.LoseRequest(func() {
				current := operation.Operation{ID: "op-1", Kind: operation.KindStart, Region: "eu", Node: "n1"}
				other.putIntent(operation.Intent{GameID: "game", Current: &current}, version)
			}))
			require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}), operation.ErrBusy)
			_, err := other.Get(t.Context(), "game")
			require.NoError(t, err)
		})
	}
}

func TestDeleteOfUnreadableValuesIsCorrupt(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	r.put(removedRecord("game"))
	r.putRaw("/operations/game", "{")
	require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}), runtime.ErrCorrupt)
	r.deleteRaw("/operations/game")
	r.putRaw("/runtimes/game", "{")
	require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}), runtime.ErrCorrupt)
}

// Every way to lose the response of a deletion ends in success, and the game is deleted once.
func TestLostResponsesOfDeletionsAreResolved(t *testing.T) {
	inEveryMode(t, testLostResponsesOfDeletionsAreResolved)
}

func testLostResponsesOfDeletionsAreResolved(t *testing.T) {
	for name, fault := range lostResponses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.put(removedRecord("other"))
			r.faults.OnFirstWrite(fault)
			require.NoError(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "other"}))
			require.Empty(t, r.historyOf("/runtimes/other")[2:], "one insert and one deletion")
			require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "other"}), runtime.ErrNotFound)
		})
	}
}

// A game that is inserted while the response of its deletion is lost is not deleted.
func TestRetryOfADeletionSparesALaterGame(t *testing.T) {
	t.Parallel()
	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{})
	other := newFixture(t, etcdtest.InProcess(t), etcdstore.Options{Prefix: r.prefix})
	r.put(removedRecord("game"))
	var inserted runtime.VersionedRecord
	faults.OnFirstWrite(faultkv.LoseReply(func() { inserted = other.put(removedRecord("game")) }))
	require.NoError(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}))
	found, err := other.GetVersioned(t.Context(), "game")
	require.NoError(t, err)
	require.Equal(t, inserted, found)
}

// A transition whose base was deleted, and inserted since, is resolved: it was not applied.
func TestTransitionOfAGameThatWasDeletedAndInserted(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	client, faults := newFaultyClient(t)
	stale := newFixture(t, client, etcdstore.Options{Prefix: r.prefix})
	r.put(runningRecord("game"))
	require.NoError(t, stale.Ready(t.Context()))
	faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		r.put(removedRecord("game"))
		require.NoError(t, r.Delete(ctx, ports.DeleteInput{GameID: "game"}))
		r.put(runningRecord("game"))
		return send(ctx)
	})
	require.NoError(t, stale.UpdateStatus(t.Context(), stopInput("game")))
	require.Len(t, r.operations("game"), 2, "the new insert and the transition")
}

// A ledger without a record is left of a deletion by another client; fsck deletes it, unless
// the game was written since. An intent without a record is normal: a first start has one.
func TestLedgerWithoutARecordIsRepaired(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	for range 3 {
		r.put(runningRecord("left"))
	}
	r.put(runningRecord("game"))
	r.putIntent(operation.Intent{GameID: "starting"}, ports.IntentVersion{})
	r.deleteRecordRaw("left", runtime.StatusRunning)
	report, err := r.Check(t.Context(), true)
	require.NoError(t, err)
	require.Len(t, report.Findings, 1)
	require.Equal(t, ports.FindingLedgerExtra, report.Findings[0].Kind)
	require.Equal(t, "left", report.Findings[0].GameID)
	require.True(t, report.Findings[0].Repaired, report.Findings[0].RepairError)
	require.NotContains(t, strings.Join(r.keys(), " "), "left")
	require.Contains(t, r.keys(), "/operations/starting")
	r.requireClean()
}

// TestDeleteAtTheQuota deletes removed games while etcd accepts no put. After compaction,
// defragmentation and disarming, writes work a second time.
func TestDeleteAtTheQuota(t *testing.T) {
	t.Parallel()
	const games = 300
	server := etcdtest.Start(t, etcdtest.Quota(4<<20))
	r := newFixture(t, server.Client(), etcdstore.Options{})
	r.each(games, func(gameID string) error { return r.Upsert(t.Context(), removedRecord(gameID)) })
	r.put(runningRecord("running"))
	fill(r)
	require.ErrorIs(t, r.UpdateStatus(t.Context(), stopInput("running")), runtime.ErrReadOnly)

	deleted := r.watch(ports.WatchOptions{GameID: "game-7"})
	deleted.synced()
	r.each(games, func(gameID string) error { return r.Delete(t.Context(), ports.DeleteInput{GameID: gameID}) })
	require.Equal(t, ports.EventDeleted, deleted.event().Type)
	require.Equal(t, []string{"/runtimes-by-status/running/running", "/runtimes/running", "/transitions/running/01"}, r.keys())
	require.NotContains(t, strings.Join(keysOf(r.dump()), " "), "/meta/deletion-epochs/")
	require.ErrorIs(t, r.UpdateStatus(t.Context(), stopInput("running")), runtime.ErrReadOnly)

	r.deleteRaw("/filler")
	resp, err := r.etcd.Get(t.Context(), "x")
	require.NoError(t, err)
	_, err = r.etcd.Compact(t.Context(), resp.Header.GetRevision(), clientv3.WithCompactPhysical())
	require.NoError(t, err)
	_, err = r.etcd.Defragment(t.Context(), server.Endpoint())
	require.NoError(t, err)
	_, err = r.etcd.AlarmDisarm(t.Context(), &clientv3.AlarmMember{})
	require.NoError(t, err)
	require.NoError(t, r.UpdateStatus(t.Context(), stopInput("running")))
	r.requireClean()
}

// each calls fn for a number of games concurrently.
func (r fixture) each(games int, fn func(gameID string) error) {
	r.t.Helper()
	errs := make([]error, games)
	var wg sync.WaitGroup
	for n := range games {
		wg.Go(func() { errs[n] = fn(fmt.Sprint("game-", n)) })
	}
	wg.Wait()
	require.NoError(r.t, errors.Join(errs...))
}

// A game whose first start has failed has an intent and no record.
func TestDeleteOfAGameWithoutARecord(t *testing.T) {
	t.Parallel()
	r := sharedFixture(t)
	require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}), runtime.ErrNotFound)
	want := r.keys()
	r.put(runningRecord("game/1"))
	r.putIntent(operation.Intent{GameID: "game/1"}, ports.IntentVersion{})
	kept := r.keys()
	version := r.putIntent(operation.Intent{GameID: "game", Recent: []operation.Outcome{{OperationID: "op-1", Kind: operation.KindStart}}}, ports.IntentVersion{})
	r.putRaw("/secrets/game.game", "{}")
	games, err := r.GamesWithIntent(t.Context())
	require.NoError(t, err)
	require.ElementsMatch(t, []string{"game", "game/1"}, games)

	revision := version.Revision
	require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game", IfRevision: &revision}), runtime.ErrNotFound, "there is no record")
	current := operation.Operation{ID: "op-2", Kind: operation.KindStart, Region: "eu", Node: "n1"}
	version = r.putIntent(operation.Intent{GameID: "game", Current: &current}, version)
	require.ErrorIs(t, r.Delete(t.Context(), ports.DeleteInput{GameID: "game"}), operation.ErrBusy)
	r.putIntent(operation.Intent{GameID: "game"}, version)
	input := ports.DeleteInput{GameID: "game", Origin: ports.Origin{OperationID: "op-3"}}
	require.NoError(t, r.Delete(t.Context(), input))
	require.NoError(t, r.Delete(t.Context(), input), "a repeated call")
	require.Equal(t, kept, r.keys())
	require.NotEqual(t, want, kept)
	r.requireClean()
}

package etcdstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// deleteRecordRaw deletes the game's record and index and keeps its ledger, which
// outlives the record.
func (r fixture) deleteRecordRaw(gameID string, status runtime.Status) {
	r.t.Helper()
	r.deleteRaw("/runtimes/" + gameID)
	r.deleteRaw("/runtimes-by-status/" + string(status) + "/" + gameID)
}

// TestAmbiguousInsertAndDeleted deletes the record of an ambiguous insert: the state is
// the base of the insert, and still it must not be written a second time.
func TestAmbiguousInsertAndDeleted(t *testing.T) { inEveryMode(t, testAmbiguousInsertAndDeleted) }

func testAmbiguousInsertAndDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		between func(r fixture)
		current bool // whether there is a record at the end
	}{
		"deleted":                   {func(r fixture) { r.deleteRecordRaw("new", runtime.StatusRunning) }, false},
		"deleted without its index": {func(r fixture) { r.deleteRaw("/runtimes/new") }, false},
		"deleted and reinserted": {func(r fixture) {
			r.deleteRecordRaw("new", runtime.StatusRunning)
			r.put(stoppedRecord("new"))
		}, true},
		"deleted, inserted and deleted a second time": {func(r fixture) {
			r.deleteRecordRaw("new", runtime.StatusRunning)
			r.put(stoppedRecord("new"))
			r.deleteRecordRaw("new", runtime.StatusStopped)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { c.between(r.others) }))
			result, err := r.Put(t.Context(), ports.PutInput{Record: runningRecord("new"), Origin: ports.Origin{OperationID: opID}})
			require.NoError(t, err, "the insert was applied")
			require.Equal(t, "new", result.Record.GameID)
			require.Equal(t, []int64{result.Revision}, r.revisionsOf("new", opID), "revisions at which it was applied")
			_, err = r.others.Get(t.Context(), "new")
			require.Equal(t, c.current, err == nil, "later writes of others must remain: %v", err)
		})
	}
}

// revisionsOf returns the revisions at which etcd's history of the game has the
// operation.
func (r faultyFixture) revisionsOf(gameID, operationID string) []int64 {
	r.t.Helper()
	var revisions []int64
	for _, ev := range r.others.historyOf("/runtimes/" + gameID) {
		if lastWriteOf(r.t, ev.Kv.GetValue()).ID == operationID {
			revisions = append(revisions, ev.Kv.GetModRevision())
		}
	}
	return revisions
}

// TestHiddenResendAfterADeletion has the client send a write twice by itself, with a
// deletion of its result in between.
func TestHiddenResendAfterADeletion(t *testing.T) { inEveryMode(t, testHiddenResendAfterADeletion) }

func testHiddenResendAfterADeletion(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		_, err := send(ctx)
		require.NoError(t, err)
		r.others.deleteRecordRaw("game", runtime.StatusStopped)
		return send(ctx)
	})
	_, err := r.stop(t.Context())
	if err != nil {
		// A base from the cache cannot distinguish the write from a repetition of one that the
		// cache has not seen, and a repetition finds no record. No client of the product resends
		// a write by itself.
		require.False(t, inMode(t, etcdstore.Options{}).NoCache, "the base was read: %v", err)
		require.ErrorIs(t, err, runtime.ErrNotFound)
	}
	require.Len(t, r.revisionsOf("game", opID), 1, "the ledger still contains it")
}

// TestDeletedBeforeAWrite deletes the record before the only try of a write is executed:
// the write was certainly not applied.
func TestDeletedBeforeAWrite(t *testing.T) { inEveryMode(t, testDeletedBeforeAWrite) }

func testDeletedBeforeAWrite(t *testing.T) {
	for name, remove := range map[string]func(r fixture){
		"with its ledger":    func(r fixture) { deleteGame(r.t, r, "game") },
		"without its ledger": func(r fixture) { r.deleteRecordRaw("game", runtime.StatusRunning) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
				remove(r.others)
				return send(ctx)
			})
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrNotFound)
		})
	}
}

// TestCorruptIndexWhileAmbiguous corrupts the index while the write is in flight, so that
// the resend fails because of it. Then the index is repaired, and the first try is
// executed.
func TestCorruptIndexWhileAmbiguous(t *testing.T) { inEveryMode(t, testCorruptIndexWhileAmbiguous) }

func testCorruptIndexWhileAmbiguous(t *testing.T) {
	r := newFaultyFixture(t)
	var late faultkv.Send
	r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		late = send
		r.others.deleteRaw("/runtimes-by-status/running/game")
		return nil, faultkv.ErrConnectionLost
	})
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "ErrCorrupt alone would mean that it is not applied")
	require.ErrorContains(t, err, r.prefix+"/runtimes-by-status/running/game")

	_, err = r.others.Check(t.Context(), true)
	require.NoError(t, err)
	_, err = late(t.Context())
	require.NoError(t, err)
	r.requireApplied(1, "the late try is applied after the repair of the index")
}

// TestRejectedForGoodAfterAmbiguity rejects every resend of a write that was applied, as
// etcd does if that write has exhausted its space: a read still proves the outcome.
func TestRejectedForGoodAfterAmbiguity(t *testing.T) {
	inEveryMode(t, testRejectedForGoodAfterAmbiguity)
}

func testRejectedForGoodAfterAmbiguity(t *testing.T) {
	for name, c := range map[string]struct {
		between func(r fixture)
		lost    func(func()) faultkv.Fault
		want    error
		made    int
	}{
		"applied":                      {func(fixture) {}, faultkv.LoseReply, nil, 1},
		"applied and overwritten":      {func(r fixture) { r.overwrite("game", 1) }, faultkv.LoseReply, nil, 1},
		"superseded":                   {func(r fixture) { r.overwrite("game", 1) }, faultkv.LoseRequest, runtime.ErrReadOnly, 0},
		"superseded by its own target": {func(r fixture) { r.put(stoppedRecord("game")) }, faultkv.LoseRequest, runtime.ErrConflict, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
				if n == 1 {
					return c.lost(func() { c.between(r.others) })(ctx, send)
				}
				return nil, rpctypes.ErrNoSpace
			})
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, c.want)
			r.faults.OnWrite(nil)
			r.requireApplied(c.made, name)
		})
	}
}

package etcdstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// uprootRecord deletes the game's record and index and leaves its ledger, which
// outlives the record.
func (r rig) uprootRecord(gameID string, status runtime.Status) {
	r.t.Helper()
	r.uproot("/runtimes/" + gameID)
	r.uproot("/runtimes-by-status/" + string(status) + "/" + gameID)
}

// TestInsertInDoubtAndDeleted takes the record away that an insert in doubt has
// made: that there is none is what the insert was computed from, and still it
// must not be made again.
func TestInsertInDoubtAndDeleted(t *testing.T) { inEveryMode(t, testInsertInDoubtAndDeleted) }

func testInsertInDoubtAndDeleted(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(r rig)
		stands    bool // whether there is a record in the end
	}{
		"deleted":                    {func(r rig) { r.uprootRecord("new", runtime.StatusRunning) }, false},
		"deleted and its index left": {func(r rig) { r.uproot("/runtimes/new") }, false},
		"deleted and inserted again": {func(r rig) {
			r.uprootRecord("new", runtime.StatusRunning)
			r.put(stoppedRecord("new"))
		}, true},
		"deleted, inserted and deleted again": {func(r rig) {
			r.uprootRecord("new", runtime.StatusRunning)
			r.put(stoppedRecord("new"))
			r.uprootRecord("new", runtime.StatusStopped)
		}, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { c.meanwhile(r.others) }))
			written, err := r.Put(t.Context(), ports.PutInput{Record: runningRecord("new"), Origin: ports.Origin{OperationID: opID}})
			require.NoError(t, err, "the insert was made")
			require.Equal(t, "new", written.Record.GameID)
			require.Equal(t, []int64{written.Revision}, r.revisionsOf("new", opID), "revisions at which it was made")
			_, err = r.others.Get(t.Context(), "new")
			require.Equal(t, c.stands, err == nil, "what others did since has to stand: %v", err)
		})
	}
}

// revisionsOf returns where etcd's history of the game has the operation.
func (r faultyRig) revisionsOf(gameID, operationID string) []int64 {
	r.t.Helper()
	var revisions []int64
	for _, ev := range r.others.historyOf("/runtimes/" + gameID) {
		if lastOpOf(r.t, ev.Kv.GetValue()).ID == operationID {
			revisions = append(revisions, ev.Kv.GetModRevision())
		}
	}
	return revisions
}

// TestHiddenResendBehindADeletion lets the client send a write twice by itself,
// with a deletion of what the first one left in between.
func TestHiddenResendBehindADeletion(t *testing.T) { inEveryMode(t, testHiddenResendBehindADeletion) }

func testHiddenResendBehindADeletion(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		_, err := send(ctx)
		require.NoError(t, err)
		r.others.uprootRecord("game", runtime.StatusStopped)
		return send(ctx)
	})
	written, err := r.stop(t.Context())
	require.NoError(t, err, "the ledger still tells that it was made")
	require.Equal(t, []int64{written.Revision}, r.revisionsOf("game", opID))
}

// TestDeletedUnderAWrite takes the record away before the only try of a write
// arrives: there is no doubt that it was not made.
func TestDeletedUnderAWrite(t *testing.T) { inEveryMode(t, testDeletedUnderAWrite) }

func testDeletedUnderAWrite(t *testing.T) {
	for name, remove := range map[string]func(r rig){
		"with its ledger":    func(r rig) { deleteGame(r.t, r, "game") },
		"without its ledger": func(r rig) { r.uprootRecord("game", runtime.StatusRunning) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
				remove(r.others)
				return send(ctx)
			})
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrNotFound)
		})
	}
}

// TestDamageWhileInDoubt damages the index while the write is on its way, so that
// the resend is refused for it; then the index is mended, and the first try lands.
func TestDamageWhileInDoubt(t *testing.T) { inEveryMode(t, testDamageWhileInDoubt) }

func testDamageWhileInDoubt(t *testing.T) {
	r := newFaultyRig(t)
	var late faultkv.Send
	r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		late = send
		r.others.uproot("/runtimes-by-status/running/game")
		return nil, faultkv.ErrConnectionLost
	})
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "a plain ErrCorrupt would say that it is not made")
	require.ErrorContains(t, err, r.prefix+"/runtimes-by-status/running/game")

	_, err = r.others.Check(t.Context(), true)
	require.NoError(t, err)
	_, err = late(t.Context())
	require.NoError(t, err)
	r.requireApplied(1, "the late try has landed on the mended index")
}

// TestRefusedForGoodAfterDoubt refuses every resend of a write that was applied,
// as etcd does when that write has used up its space: a read can still tell.
func TestRefusedForGoodAfterDoubt(t *testing.T) { inEveryMode(t, testRefusedForGoodAfterDoubt) }

func testRefusedForGoodAfterDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		meanwhile func(r rig)
		lost      func(func()) faultkv.Fault
		want      error
		made      int
	}{
		"applied":                       {func(rig) {}, faultkv.LoseReply, nil, 1},
		"applied and overwritten":       {func(r rig) { r.overwrite("game", 1) }, faultkv.LoseReply, nil, 1},
		"overtaken":                     {func(r rig) { r.overwrite("game", 1) }, faultkv.LoseRequest, runtime.ErrReadOnly, 0},
		"overtaken by what it expected": {func(r rig) { r.put(stoppedRecord("game")) }, faultkv.LoseRequest, runtime.ErrConflict, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
				if n == 1 {
					return c.lost(func() { c.meanwhile(r.others) })(ctx, send)
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

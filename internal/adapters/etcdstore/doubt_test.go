package etcdstore_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// overwritten says how often others overwrite the record while the write is in
// doubt: the ledger's ring tells of the first, etcd's history of the second.
var overwritten = map[string]int{"within the ring": 5, "just beyond the ring": 32, "beyond the ring": 40}

func TestOverwrittenWhileInDoubt(t *testing.T) { inEveryMode(t, testOverwrittenWhileInDoubt) }

func testOverwrittenWhileInDoubt(t *testing.T) {
	for name, times := range overwritten {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.overwrite("game", times) }))
			written, err := r.stop(t.Context())
			require.NoError(t, err, "the write was applied")
			require.Equal(t, r.requireApplied(1, "transition"), written.Revision)
			require.Equal(t, runtime.StatusStopped, written.Record.Status)
		})
		t.Run("upsert "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.overwrite("game", times) }))
			written, err := r.upsert(t.Context())
			require.NoError(t, err)
			require.Equal(t, r.requireApplied(1, "upsert"), written.Revision)
		})
		t.Run("not applied, "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(faultkv.LoseRequest(func() { r.others.overwrite("game", times) }))
			written, err := r.stop(t.Context())
			require.NoError(t, err, "the record is running again, as expected, and the first try is out of the way")
			require.Equal(t, r.requireApplied(1, "second try"), written.Revision)
		})
		t.Run("not applied and in conflict, "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnFirstWrite(faultkv.LoseRequest(func() {
				r.others.overwrite("game", times)
				r.others.move("game", runtime.StatusRunning, runtime.StatusStopped)
			}))
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrConflict)
			r.requireApplied(0, "conflict")
		})
	}
}

// TestHiddenResends lets the client do what clientv3 does on some errors: send
// the transaction again without telling the store. How often does not matter.
func TestHiddenResends(t *testing.T) { inEveryMode(t, testHiddenResends) }

func testHiddenResends(t *testing.T) {
	for name, times := range overwritten {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for verb, write := range map[string]func(faultyRig, context.Context) (runtime.VersionedRecord, error){
				"transition": faultyRig.stop, "upsert": faultyRig.upsert,
			} {
				r := newFaultyRig(t)
				r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
					ctx = context.WithoutCancel(ctx) // all of this may take longer than one call
					first, err := send(ctx)
					require.NoError(t, err)
					require.True(t, first.Succeeded)
					r.others.overwrite("game", times)
					_, err = send(ctx)
					require.NoError(t, err)
					return send(ctx)
				})
				_, err := write(r, t.Context())
				require.NoError(t, err, verb)
				r.requireApplied(1, verb)
			}
		})
	}
}

func TestInDoubtBeyondRingAndHistory(t *testing.T) { inEveryMode(t, testInDoubtBeyondRingAndHistory) }

func testInDoubtBeyondRingAndHistory(t *testing.T) {
	for name, fault := range map[string]func(func()) faultkv.Fault{
		"applied": faultkv.LoseReply, "not applied": faultkv.LoseRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := lonelyFaultyRig(t)
			r.faults.OnFirstWrite(fault(func() {
				r.others.overwrite("game", 40)
				_, err := r.others.etcd.Compact(t.Context(), r.others.head())
				require.NoError(t, err)
			}))
			before := r.faults.Writes()
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.ErrorContains(t, err, opID)
			require.NotErrorIs(t, err, runtime.ErrCompacted, "one sentinel is enough")
			require.Equal(t, before+2, r.faults.Writes(), "after the answered resend nothing more is written")
			r.others.requireClean()
		})
	}
}

// TestInDoubtAndDeleted takes the game away while the write is in doubt.
func TestInDoubtAndDeleted(t *testing.T) { inEveryMode(t, testInDoubtAndDeleted) }

func testInDoubtAndDeleted(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnFirstWrite(faultkv.LoseReply(func() { deleteGame(t, r.others, "game") }))
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.Empty(t, filterKeys(r.dump(), "/runtimes"), "nothing was written any more")
}

// TestInDoubtAndInsertedAgain has the game deleted and inserted again while the
// write is in doubt, so that the new ledger counts past it without naming it.
func TestInDoubtAndInsertedAgain(t *testing.T) { inEveryMode(t, testInDoubtAndInsertedAgain) }

func testInDoubtAndInsertedAgain(t *testing.T) {
	for _, times := range []int{1, 2, 3, 40} {
		r := newFaultyRig(t)
		r.faults.OnFirstWrite(faultkv.LoseReply(func() {
			deleteGame(t, r.others, "game")
			r.others.overwrite("game", times)
		}))
		_, err := r.stop(t.Context())
		require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "inserted and overwritten %d times", times)
		r.requireApplied(1, "and not a second time")
	}
}

// TestInDoubtAndUnreadable has the record damaged while the write is in doubt.
func TestInDoubtAndUnreadable(t *testing.T) { inEveryMode(t, testInDoubtAndUnreadable) }

func testInDoubtAndUnreadable(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.plant("/runtimes/game", "garbage") }))
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "it was applied, and a plain ErrCorrupt would say that it was not")
	require.ErrorContains(t, err, r.prefix+"/runtimes/game")
	require.Equal(t, "garbage", r.value("/runtimes/game"))
}

// TestRefusedAfterDoubt refuses the resend of a write that was applied: the
// refusal says nothing of the first try.
func TestRefusedAfterDoubt(t *testing.T) { inEveryMode(t, testRefusedAfterDoubt) }

func testRefusedAfterDoubt(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		switch n {
		case 1:
			return faultkv.LoseReply(nil)(ctx, send)
		case 2, 3:
			return nil, rpctypes.ErrNoSpace
		}
		return send(ctx)
	})
	written, err := r.stop(t.Context())
	require.NoError(t, err)
	require.Equal(t, r.requireApplied(1, "refused after doubt"), written.Revision)
}

// TestFenceLostWhileInDoubt revokes the fence while the write is in doubt.
func TestFenceLostWhileInDoubt(t *testing.T) { inEveryMode(t, testFenceLostWhileInDoubt) }

func testFenceLostWhileInDoubt(t *testing.T) {
	for name, c := range map[string]struct {
		lost func(func()) faultkv.Fault
		want error
		made int
	}{
		"applied":     {faultkv.LoseReply, nil, 1},
		"not applied": {faultkv.LoseRequest, runtime.ErrFenced, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			fence := node.Fence{Key: r.prefix + "/leaders/x", CreateRevision: r.plant("/leaders/x", "me")}
			r.faults.OnFirstWrite(c.lost(func() { r.others.uproot("/leaders/x") }))
			_, err := r.Transition(t.Context(), ports.TransitionInput{
				UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}, Fence: &fence,
			})
			require.ErrorIs(t, err, c.want)
			r.requireApplied(c.made, name)
		})
	}
}

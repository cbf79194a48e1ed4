package etcdstore_test

import (
	"context"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// overwrites is how often others overwrite the record while the write is ambiguous: the
// ledger contains the write for the first, etcd's history for the others.
var overwrites = map[string]int{"within the ring": 5, "just beyond the ring": 32, "beyond the ring": 40}

func TestOverwrittenWhileAmbiguous(t *testing.T) { inEveryMode(t, testOverwrittenWhileAmbiguous) }

func testOverwrittenWhileAmbiguous(t *testing.T) {
	for name, times := range overwrites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.overwrite("game", times) }))
			result, err := r.stop(t.Context())
			require.NoError(t, err, "the write was applied")
			require.Equal(t, r.requireApplied(1, "transition"), result.Revision)
			require.Equal(t, runtime.StatusStopped, result.Record.Status)
		})
		t.Run("upsert "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.overwrite("game", times) }))
			result, err := r.upsert(t.Context())
			require.NoError(t, err)
			require.Equal(t, r.requireApplied(1, "upsert"), result.Revision)
		})
		t.Run("not applied, "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(faultkv.LoseRequest(func() { r.others.overwrite("game", times) }))
			result, err := r.stop(t.Context())
			require.NoError(t, err, "the record is running, as expected, and the first try cannot be applied")
			require.Equal(t, r.requireApplied(1, "second try"), result.Revision)
		})
		t.Run("not applied and in conflict, "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnFirstWrite(faultkv.LoseRequest(func() {
				r.others.overwrite("game", times)
				r.others.transition("game", runtime.StatusRunning, runtime.StatusStopped)
			}))
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrConflict)
			r.requireApplied(0, "conflict")
		})
	}
}

// TestHiddenResends has the client do what clientv3 does on some errors: resend the
// transaction without reporting it to the store. The number of resends does not matter.
func TestHiddenResends(t *testing.T) { inEveryMode(t, testHiddenResends) }

func testHiddenResends(t *testing.T) {
	for name, times := range overwrites {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, write := range map[string]func(faultyFixture, context.Context) (runtime.VersionedRecord, error){
				"transition": faultyFixture.stop, "upsert": faultyFixture.upsert,
			} {
				r := newFaultyFixture(t)
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
				require.NoError(t, err, method)
				r.requireApplied(1, method)
			}
		})
	}
}

func TestAmbiguousBeyondRingAndHistory(t *testing.T) {
	inEveryMode(t, testAmbiguousBeyondRingAndHistory)
}

func testAmbiguousBeyondRingAndHistory(t *testing.T) {
	for name, fault := range map[string]func(func()) faultkv.Fault{
		"applied": faultkv.LoseReply, "not applied": faultkv.LoseRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := dedicatedFaultyFixture(t)
			r.faults.OnFirstWrite(fault(func() {
				r.others.overwrite("game", 40)
				_, err := r.others.etcd.Compact(t.Context(), r.others.head())
				require.NoError(t, err)
			}))
			before := r.faults.Writes()
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.ErrorContains(t, err, opID)
			require.NotErrorIs(t, err, runtime.ErrCompacted, "one outcome only")
			require.Equal(t, before+2, r.faults.Writes(), "no write follows the resend")
			r.others.requireClean()
		})
	}
}

// TestIDReusedWhileAmbiguous has another request use the operation id while the write is
// ambiguous and not applied.
func TestIDReusedWhileAmbiguous(t *testing.T) { inEveryMode(t, testIDReusedWhileAmbiguous) }

func testIDReusedWhileAmbiguous(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnFirstWrite(faultkv.LoseRequest(func() {
		_, err := r.others.Put(t.Context(), ports.PutInput{Record: runningRecord("game"), Origin: ports.Origin{OperationID: opID}})
		require.NoError(t, err)
	}))
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, operation.ErrIDReused)
	r.requireApplied(1, "the other request")
}

// TestLedgerEntryWithoutHash repeats a write of a version that stored no hash.
func TestLedgerEntryWithoutHash(t *testing.T) { inEveryMode(t, testLedgerEntryWithoutHash) }

func testLedgerEntryWithoutHash(t *testing.T) {
	r := newFaultyFixture(t)
	stopped, err := r.stop(t.Context())
	require.NoError(t, err)
	_, err = r.upsert(t.Context())
	require.ErrorIs(t, err, operation.ErrIDReused)
	value := r.value("/transitions/game/02")
	require.Contains(t, value, `"contents_hash"`)
	r.putRaw("/transitions/game/02", regexp.MustCompile(`,"contents_hash":"[^"]*"`).ReplaceAllString(value, ""))
	repeated, err := r.upsert(t.Context())
	require.NoError(t, err)
	require.Equal(t, stopped, repeated)
}

// TestAmbiguousAndDeleted deletes the game while the write is ambiguous.
func TestAmbiguousAndDeleted(t *testing.T) { inEveryMode(t, testAmbiguousAndDeleted) }

func testAmbiguousAndDeleted(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnFirstWrite(faultkv.LoseReply(func() { deleteGame(t, r.others, "game") }))
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.Empty(t, filterKeys(r.dump(), "/runtimes"), "no later write")
}

// TestAmbiguousAndReinserted deletes and inserts the game while the write is ambiguous,
// so that the new ledger has higher numbers without naming the write.
func TestAmbiguousAndReinserted(t *testing.T) { inEveryMode(t, testAmbiguousAndReinserted) }

func testAmbiguousAndReinserted(t *testing.T) {
	for _, times := range []int{1, 2, 3, 40} {
		r := newFaultyFixture(t)
		r.faults.OnFirstWrite(faultkv.LoseReply(func() {
			deleteGame(t, r.others, "game")
			r.others.overwrite("game", times)
		}))
		_, err := r.stop(t.Context())
		require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "inserted and overwritten %d times", times)
		r.requireApplied(1, "not a second time")
	}
}

// TestAmbiguousAndCorrupt corrupts the record while the write is ambiguous.
func TestAmbiguousAndCorrupt(t *testing.T) { inEveryMode(t, testAmbiguousAndCorrupt) }

func testAmbiguousAndCorrupt(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.others.putRaw("/runtimes/game", "garbage") }))
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown, "it was applied, and ErrCorrupt alone would mean that it was not")
	require.ErrorContains(t, err, r.prefix+"/runtimes/game")
	require.Equal(t, "garbage", r.value("/runtimes/game"))
}

// TestRejectedAfterAmbiguity rejects the resend of a write that was applied: the
// rejection proves nothing about the first try.
func TestRejectedAfterAmbiguity(t *testing.T) { inEveryMode(t, testRejectedAfterAmbiguity) }

func testRejectedAfterAmbiguity(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		switch n {
		case 1:
			return faultkv.LoseReply(nil)(ctx, send)
		case 2, 3:
			return nil, rpctypes.ErrNoSpace
		}
		return send(ctx)
	})
	result, err := r.stop(t.Context())
	require.NoError(t, err)
	require.Equal(t, r.requireApplied(1, "rejected after ambiguity"), result.Revision)
}

// TestFenceLostWhileAmbiguous revokes the fence while the write is ambiguous.
func TestFenceLostWhileAmbiguous(t *testing.T) { inEveryMode(t, testFenceLostWhileAmbiguous) }

func testFenceLostWhileAmbiguous(t *testing.T) {
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
			r := newFaultyFixture(t)
			fence := node.Fence{Key: r.prefix + "/leaders/x", CreateRevision: r.putRaw("/leaders/x", "me")}
			r.faults.OnFirstWrite(c.lost(func() { r.others.deleteRaw("/leaders/x") }))
			_, err := r.Transition(t.Context(), ports.TransitionInput{
				UpdateStatusInput: stopInput("game"), Origin: ports.Origin{OperationID: opID}, Fence: &fence,
			})
			require.ErrorIs(t, err, c.want)
			r.requireApplied(c.made, name)
		})
	}
}

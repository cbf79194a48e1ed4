package etcdstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestLostAnswersAreResolved meets both kinds of write with every way to lose
// an answer that leaves the write the last one on the record.
func TestLostAnswersAreResolved(t *testing.T) { inEveryMode(t, testLostAnswersAreResolved) }

func testLostAnswersAreResolved(t *testing.T) {
	for name, fault := range map[string]faultkv.Fault{
		"reply lost after the commit":    faultkv.LoseReply(nil),
		"request lost before the commit": faultkv.LoseRequest(nil),
		"deadline after the commit": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
			_, err := send(ctx)
			<-ctx.Done()
			return nil, errors.Join(err, ctx.Err())
		},
		"deadline before the commit": func(ctx context.Context, _ faultkv.Send) (*clientv3.TxnResponse, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		},
		"etcd's own time-out after the commit": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
			_, err := send(ctx)
			return nil, errors.Join(err, rpctypes.ErrTimeoutDueToLeaderFail)
		},
		"too many requests": func(context.Context, faultkv.Send) (*clientv3.TxnResponse, error) {
			return nil, rpctypes.ErrTooManyRequests
		},
		"sent twice by the client without a word": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
			_, err := send(ctx)
			resp, again := send(ctx)
			return resp, errors.Join(err, again)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for verb, write := range map[string]func(faultyRig, context.Context) (runtime.VersionedRecord, error){
				"transition": faultyRig.stop, "upsert": faultyRig.upsert,
			} {
				r := newFaultyRig(t)
				r.faults.OnFirstWrite(fault)
				written, err := write(r, t.Context())
				require.NoError(t, err, verb)
				require.Equal(t, r.requireApplied(1, verb), written.Revision, verb)
				require.Equal(t, opID, r.operations("game")[0])
			}
		})
	}
}

func TestEveryTryLostButTheLast(t *testing.T) { inEveryMode(t, testEveryTryLostButTheLast) }

func testEveryTryLostButTheLast(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		switch {
		case n == 1:
			return faultkv.LoseReply(nil)(ctx, send)
		case n < 6:
			return nil, faultkv.ErrConnectionLost
		}
		return send(ctx)
	})
	written, err := r.stop(t.Context())
	require.NoError(t, err)
	require.Equal(t, 6, r.faults.Writes())
	require.Equal(t, r.requireApplied(1, "six tries"), written.Revision)
}

// TestLateTryChangesNothing holds the first try back and lets it land when the
// game has moved on: after the resend, and after another writer besides.
func TestLateTryChangesNothing(t *testing.T) { inEveryMode(t, testLateTryChangesNothing) }

func testLateTryChangesNothing(t *testing.T) {
	for name, write := range map[string]func(faultyRig, context.Context) (runtime.VersionedRecord, error){
		"transition": faultyRig.stop, "upsert": faultyRig.upsert,
	} {
		for then, between := range map[string]func(r rig){
			"at once":                       func(rig) {},
			"behind another writer":         func(r rig) { r.overwrite("game", 1) },
			"behind the status going round": func(r rig) { r.overwrite("game", 3) },
		} {
			t.Run(name+" "+then, func(t *testing.T) {
				t.Parallel()
				r := newFaultyRig(t)
				var late faultkv.Send
				r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
					late = send
					return nil, faultkv.ErrConnectionLost
				})
				written, err := write(r, t.Context())
				require.NoError(t, err)
				between(r.others)
				before := r.dump()
				resp, err := late(t.Context())
				require.NoError(t, err)
				require.False(t, resp.Succeeded, "the late try was applied")
				require.Equal(t, before, r.dump(), "the late try changed something")
				require.Equal(t, r.requireApplied(1, "late try"), written.Revision)
			})
		}
	}
}

// TestLateTryOfARefusedTransition holds the first try back; meanwhile somebody
// else stops the game, so that the resend is a conflict. It has to stay one.
func TestLateTryOfARefusedTransition(t *testing.T) { inEveryMode(t, testLateTryOfARefusedTransition) }

func testLateTryOfARefusedTransition(t *testing.T) {
	r := newFaultyRig(t)
	var late faultkv.Send
	r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		late = send
		r.others.move("game", runtime.StatusRunning, runtime.StatusStopped)
		return nil, faultkv.ErrConnectionLost
	})
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrConflict)
	resp, err := late(t.Context())
	require.NoError(t, err)
	require.False(t, resp.Succeeded)
	r.requireApplied(0, "the caller was told of a conflict")
}

func TestRefusals(t *testing.T) { inEveryMode(t, testRefusals) }

func testRefusals(t *testing.T) {
	for name, c := range map[string]struct{ answer, want error }{
		"no space":          {rpctypes.ErrNoSpace, runtime.ErrReadOnly},
		"permission denied": {rpctypes.ErrPermissionDenied, rpctypes.ErrPermissionDenied},
		"too large":         {rpctypes.ErrRequestTooLarge, rpctypes.ErrRequestTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyRig(t)
			r.faults.OnWrite(func(context.Context, int, faultkv.Send) (*clientv3.TxnResponse, error) { return nil, c.answer })
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.Equal(t, 1, r.faults.Writes(), "a definite no is not repeated")
			r.faults.OnWrite(nil)
			r.requireApplied(0, "refused")
		})
	}
}

// TestRefusedForSpaceAndAppliedAllTheSame has etcd answer as it does when the last
// space goes between agreeing on a write and applying it.
func TestRefusedForSpaceAndAppliedAllTheSame(t *testing.T) {
	inEveryMode(t, testRefusedForSpaceAndAppliedAllTheSame)
}

func testRefusedForSpaceAndAppliedAllTheSame(t *testing.T) {
	r := newFaultyRig(t)
	r.faults.OnFirstWrite(func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if _, err := send(ctx); err != nil {
			return nil, err
		}
		return nil, rpctypes.ErrNoSpace
	})
	written, err := r.stop(t.Context())
	require.NoError(t, err, "it was applied")
	require.Equal(t, r.requireApplied(1, "once"), written.Revision)
}

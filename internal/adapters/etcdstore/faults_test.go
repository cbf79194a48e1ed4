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

// lostResponses are the ways to lose a response, or to resend a request, that leave the write
// the last one of its key.
var lostResponses = map[string]faultkv.Fault{
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
	"timeout of etcd after the commit": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		_, err := send(ctx)
		return nil, errors.Join(err, rpctypes.ErrTimeoutDueToLeaderFail)
	},
	"too many requests": func(context.Context, faultkv.Send) (*clientv3.TxnResponse, error) {
		return nil, rpctypes.ErrTooManyRequests
	},
	"sent twice by the client": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		_, err := send(ctx)
		resp, second := send(ctx)
		return resp, errors.Join(err, second)
	},
	"no space, but applied": func(ctx context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if _, err := send(ctx); err != nil {
			return nil, err
		}
		return nil, rpctypes.ErrNoSpace
	},
}

// TestLostResponsesAreResolved loses the response of both kinds of write in every way
// that leaves the write the last one of the record.
func TestLostResponsesAreResolved(t *testing.T) { inEveryMode(t, testLostResponsesAreResolved) }

func testLostResponsesAreResolved(t *testing.T) {
	for name, fault := range lostResponses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for method, write := range map[string]func(faultyFixture, context.Context) (runtime.VersionedRecord, error){
				"transition": faultyFixture.stop, "upsert": faultyFixture.upsert,
			} {
				r := newFaultyFixture(t)
				r.faults.OnFirstWrite(fault)
				result, err := write(r, t.Context())
				require.NoError(t, err, method)
				require.Equal(t, r.requireApplied(1, method), result.Revision, method)
				require.Equal(t, opID, r.operations("game")[0])
			}
		})
	}
}

func TestEveryTryLostExceptTheLast(t *testing.T) { inEveryMode(t, testEveryTryLostExceptTheLast) }

func testEveryTryLostExceptTheLast(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		switch {
		case n == 1:
			return faultkv.LoseReply(nil)(ctx, send)
		case n < 6:
			return nil, faultkv.ErrConnectionLost
		}
		return send(context.WithoutCancel(ctx)) // a try that times out would be followed by another one
	})
	result, err := r.stop(t.Context())
	require.NoError(t, err)
	require.Equal(t, 6, r.faults.Writes())
	require.Equal(t, r.requireApplied(1, "six tries"), result.Revision)
}

// TestLateTryChangesNothing delays the first try and executes it after the game has
// changed: after the resend, and after another writer too.
func TestLateTryChangesNothing(t *testing.T) { inEveryMode(t, testLateTryChangesNothing) }

func testLateTryChangesNothing(t *testing.T) {
	for name, write := range map[string]func(faultyFixture, context.Context) (runtime.VersionedRecord, error){
		"transition": faultyFixture.stop, "upsert": faultyFixture.upsert,
	} {
		for then, between := range map[string]func(r fixture){
			"at once":                     func(fixture) {},
			"after another writer":        func(r fixture) { r.overwrite("game", 1) },
			"after several other writers": func(r fixture) { r.overwrite("game", 3) },
		} {
			t.Run(name+" "+then, func(t *testing.T) {
				t.Parallel()
				r := newFaultyFixture(t)
				var late faultkv.Send
				r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
					late = send
					return nil, faultkv.ErrConnectionLost
				})
				result, err := write(r, t.Context())
				require.NoError(t, err)
				between(r.others)
				before := r.dump()
				resp, err := late(t.Context())
				require.NoError(t, err)
				require.False(t, resp.Succeeded, "the late try was applied")
				require.Equal(t, before, r.dump(), "the late try changed a key")
				require.Equal(t, r.requireApplied(1, "late try"), result.Revision)
			})
		}
	}
}

// TestLateTryOfARejectedTransition delays the first try while another writer stops the
// game, so that the resend is a conflict. It must stay one.
func TestLateTryOfARejectedTransition(t *testing.T) { inEveryMode(t, testLateTryOfARejectedTransition) }

func testLateTryOfARejectedTransition(t *testing.T) {
	r := newFaultyFixture(t)
	var late faultkv.Send
	r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
		late = send
		r.others.transition("game", runtime.StatusRunning, runtime.StatusStopped)
		return nil, faultkv.ErrConnectionLost
	})
	_, err := r.stop(t.Context())
	require.ErrorIs(t, err, runtime.ErrConflict)
	resp, err := late(t.Context())
	require.NoError(t, err)
	require.False(t, resp.Succeeded)
	r.requireApplied(0, "the caller got a conflict")
}

// rejections are permanent errors of etcd and what the store returns for them.
var rejections = map[string]struct{ response, want error }{
	"no space":          {rpctypes.ErrNoSpace, runtime.ErrReadOnly},
	"permission denied": {rpctypes.ErrPermissionDenied, rpctypes.ErrPermissionDenied},
	"too large":         {rpctypes.ErrRequestTooLarge, rpctypes.ErrRequestTooLarge},
}

func TestRejections(t *testing.T) { inEveryMode(t, testRejections) }

func testRejections(t *testing.T) {
	for name, c := range rejections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			r.faults.OnWrite(func(context.Context, int, faultkv.Send) (*clientv3.TxnResponse, error) { return nil, c.response })
			_, err := r.stop(t.Context())
			require.ErrorIs(t, err, c.want)
			require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.Equal(t, 1, r.faults.Writes(), "a permanent error is not retried")
			r.faults.OnWrite(nil)
			r.requireApplied(0, "rejected")
		})
	}
}

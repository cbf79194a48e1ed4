package etcdstore_test

import (
	"context"
	"errors"
	"strings"
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

// mark is in the intent of the write with injected faults.
const mark = "the-write"

func (r faultyFixture) putMarked(ctx context.Context, replaces ports.IntentVersion, fences ...node.Fence) (int64, error) {
	version, err := r.PutIntent(ctx, operation.Intent{GameID: "game", Spec: operation.Spec{Image: mark}}, replaces, fences...)
	return version.Revision, err
}

// overwriteIntent writes the intent the given number of times, as other writers would.
func (r faultyFixture) overwriteIntent(times int) {
	for range times {
		r.others.putIntent(operation.Intent{GameID: "game"}, r.others.intent("game").IntentVersion)
	}
}

// requireMarked requires that the whole history of the intent has the write n
// times, and returns its last revision.
func (r faultyFixture) requireMarked(times int, why string) int64 {
	r.t.Helper()
	last, made := int64(0), 0
	for _, ev := range r.others.historyOf("/operations/game") {
		if strings.Contains(string(ev.Kv.GetValue()), mark) {
			last, made = ev.Kv.GetModRevision(), made+1
		}
	}
	require.Equal(r.t, times, made, "times that etcd's history has the write: %s", why)
	return last
}

// onBoth runs a test of a write that inserts, and of one that overwrites.
func onBoth(t *testing.T, test func(t *testing.T, r faultyFixture, at ports.IntentVersion)) {
	t.Run("insert", func(t *testing.T) {
		t.Parallel()
		test(t, newFaultyFixture(t), ports.IntentVersion{})
	})
	t.Run("overwrite", func(t *testing.T) {
		t.Parallel()
		r := newFaultyFixture(t)
		test(t, r, r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{}))
	})
}

func TestLostResponsesOfAnIntentAreResolved(t *testing.T) {
	t.Parallel()
	for name, fault := range lostResponses {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
				r.faults.OnFirstWrite(fault)
				revision, err := r.putMarked(t.Context(), at)
				require.NoError(t, err)
				require.Equal(t, r.requireMarked(1, name), revision)
			})
		})
	}
}

// TestIntentOverwrittenWhileAmbiguous has others write the intent before the write is
// resent: only etcd's history shows whether it was applied.
func TestIntentOverwrittenWhileAmbiguous(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
		r.faults.OnFirstWrite(faultkv.LoseReply(func() { r.overwriteIntent(3) }))
		revision, err := r.putMarked(t.Context(), at)
		require.NoError(t, err, "it was applied")
		require.Equal(t, r.requireMarked(1, "reply lost"), revision)
	})
	onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
		r.faults.OnFirstWrite(faultkv.LoseRequest(func() { r.overwriteIntent(3) }))
		_, err := r.putMarked(t.Context(), at)
		require.ErrorIs(t, err, runtime.ErrConflict)
		require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
		r.requireMarked(0, "request lost")
	})
}

func TestLateTryOfAnIntentChangesNothing(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
		var late faultkv.Send
		r.faults.OnFirstWrite(func(_ context.Context, send faultkv.Send) (*clientv3.TxnResponse, error) {
			late = send
			return nil, faultkv.ErrConnectionLost
		})
		_, err := r.putMarked(t.Context(), at)
		require.NoError(t, err)
		r.overwriteIntent(1)
		before := r.dump()
		resp, err := late(t.Context())
		require.NoError(t, err)
		require.False(t, resp.Succeeded)
		require.Equal(t, before, r.dump())
	})
}

func TestAmbiguousIntentBeyondHistory(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]func(func()) faultkv.Fault{
		"applied": faultkv.LoseReply, "not applied": faultkv.LoseRequest,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := dedicatedFaultyFixture(t)
			at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
			r.faults.OnFirstWrite(fault(func() {
				r.overwriteIntent(2)
				_, err := r.others.etcd.Compact(t.Context(), r.others.head())
				require.NoError(t, err)
			}))
			_, err := r.putMarked(t.Context(), at)
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.NotErrorIs(t, err, runtime.ErrCompacted, "one outcome only")
		})
	}
}

func TestAmbiguousIntentAndDeleted(t *testing.T) {
	t.Parallel()
	for name, second := range map[string]bool{"deleted": false, "and rewritten": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
			r.faults.OnFirstWrite(faultkv.LoseReply(func() {
				r.others.deleteRaw("/operations/game")
				if second {
					r.overwriteIntent(1)
				}
			}))
			_, err := r.putMarked(t.Context(), at)
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			r.requireMarked(1, "not a second time")
		})
	}
}

func TestAmbiguousIntentAndCorrupt(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		lost func(func()) faultkv.Fault
		want error
		made int
	}{
		"applied":     {faultkv.LoseReply, nil, 1},
		"not applied": {faultkv.LoseRequest, runtime.ErrCorrupt, 0},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
				r.faults.OnFirstWrite(c.lost(func() { r.others.putRaw("/operations/game", "garbage") }))
				_, err := r.putMarked(t.Context(), at)
				require.ErrorIs(t, err, c.want)
				r.requireMarked(c.made, name)
				require.Equal(t, "garbage", r.value("/operations/game"))
			})
		})
	}
}

func TestFenceOfAnIntentLostWhileAmbiguous(t *testing.T) {
	t.Parallel()
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
			onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
				fence := node.Fence{Key: r.prefix + "/nodes/eu/n1", CreateRevision: r.putRaw("/nodes/eu/n1", "me")}
				r.faults.OnFirstWrite(c.lost(func() { r.others.deleteRaw("/nodes/eu/n1") }))
				_, err := r.putMarked(t.Context(), at, fence)
				require.ErrorIs(t, err, c.want)
				r.requireMarked(c.made, name)
			})
		})
	}
}

func TestRejectedIntents(t *testing.T) {
	t.Parallel()
	for name, c := range rejections {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
				r.faults.OnWrite(func(context.Context, int, faultkv.Send) (*clientv3.TxnResponse, error) { return nil, c.response })
				_, err := r.putMarked(t.Context(), at)
				require.ErrorIs(t, err, c.want)
				require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
				require.Equal(t, 1, r.faults.Writes(), "a permanent error is not retried")
				r.requireMarked(0, name)
			})
		})
	}
}

// TestRejectedIntentAfterAmbiguity rejects the resend: that proves nothing about the first
// try.
func TestRejectedIntentAfterAmbiguity(t *testing.T) {
	t.Parallel()
	for name, first := range map[string]faultkv.Fault{
		"applied": faultkv.LoseReply(nil), "not applied": faultkv.LoseRequest(nil),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
				r.faults.OnWrite(func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
					switch n {
					case 1:
						return first(ctx, send)
					case 2, 3:
						return nil, rpctypes.ErrNoSpace
					}
					return send(ctx)
				})
				revision, err := r.putMarked(t.Context(), at)
				require.NoError(t, err)
				require.Equal(t, r.requireMarked(1, name), revision)
			})
		})
	}
}

// TestIntentWhoseCallerCancels cancels the caller's context while the write is ambiguous,
// and before it was sent.
func TestIntentWhoseCallerCancels(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, r faultyFixture, at ports.IntentVersion) {
		ctx, cancel := context.WithCancel(t.Context())
		r.faults.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
			_, err := send(ctx)
			cancel()
			return nil, errors.Join(faultkv.ErrConnectionLost, err)
		})
		_, err := r.putMarked(ctx, at)
		require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
		require.ErrorIs(t, err, context.Canceled)
		r.requireMarked(1, "it was applied")
	})
	t.Run("while the replaced intent is read", func(t *testing.T) {
		t.Parallel()
		r := newFaultyFixture(t)
		at := r.putIntent(operation.Intent{GameID: "game"}, ports.IntentVersion{})
		ctx, cancel := context.WithCancel(t.Context())
		r.faults.OnRead(func(context.Context) error { cancel(); return faultkv.ErrConnectionLost })
		_, err := r.putMarked(ctx, ports.IntentVersion{Revision: at.Revision})
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
		r.faults.OnRead(nil)
		r.requireMarked(0, "it was not sent")
	})
}

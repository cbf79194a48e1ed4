package etcdstore_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

func TestRejectedBatchIsSentSingly(t *testing.T) {
	t.Parallel()
	for _, rejection := range []error{rpctypes.ErrTooManyOps, rpctypes.ErrNoSpace} {
		c := newBatchFixture(t)
		c.group = func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
			if n == 1 {
				return nil, rejection
			}
			return send(ctx)
		}
		results := c.run(c.inserts(5)...)
		require.NoError(t, errors.Join(results...))
		require.Equal(t, 1+5, c.requests())
		c.requireInserted(5)
	}
}

// rejectAfterCommit has etcd execute the first batch and reject it for lack of space. between runs
// before the response; later requests get the error, and are executed if it is nil.
func (c *batchFixture) rejectAfterCommit(between func(), later error) {
	c.group = func(ctx context.Context, n int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		switch {
		case n == 1:
			if _, err := send(ctx); err != nil {
				return nil, err
			}
			between()
			return nil, rpctypes.ErrNoSpace
		case later != nil:
			return nil, later
		default:
			return send(ctx)
		}
	}
}

func TestBatchThatWasAppliedAndRejected(t *testing.T) {
	t.Parallel()
	for name, later := range map[string]error{
		"resent": nil, "not permitted any more": rpctypes.ErrPermissionDenied, "no space": rpctypes.ErrNoSpace,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := newBatchFixture(t)
			c.rejectAfterCommit(func() {}, later)
			require.NoError(t, errors.Join(c.run(c.inserts(5)...)...), "they were applied")
			c.requireInserted(5)
		})
	}
}

// TestInsertOfARejectedBatchIsNotRepeated deletes the game of an insert before the store receives the
// rejection of the batch that has inserted it.
func TestInsertOfARejectedBatchIsNotRepeated(t *testing.T) {
	t.Parallel()
	c := newBatchFixture(t)
	c.rejectAfterCommit(func() {
		if err := c.others.Delete(t.Context(), ports.DeleteInput{GameID: "gone"}); err != nil {
			t.Error("delete the game:", err)
		}
	}, nil)
	results := c.run(append(c.inserts(3), func() error { return c.Upsert(t.Context(), removedRecord("gone")) })...)
	require.NoError(t, errors.Join(results[:3]...))
	require.ErrorIs(t, results[3], runtime.ErrOutcomeUnknown)
	_, err := c.others.GetVersioned(t.Context(), "gone")
	require.ErrorIs(t, err, runtime.ErrNotFound, "it was inserted twice")
}

// TestWriteThatWasAppliedBeforeItsReserve has etcd execute a write that ends a game, reject it for lack
// of space, and reject the try with the reserve for another reason.
func TestWriteThatWasAppliedBeforeItsReserve(t *testing.T) {
	inEveryMode(t, testWriteThatWasAppliedBeforeItsReserve)
}

func testWriteThatWasAppliedBeforeItsReserve(t *testing.T) {
	r := newFaultyFixture(t)
	fence := node.Fence{Key: r.prefix + "/nodes/eu/n1", CreateRevision: r.putRaw("/nodes/eu/n1", "me")}
	r.faults.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if etcd.MayUseReserve(ctx) {
			return nil, rpctypes.ErrPermissionDenied
		}
		if _, err := send(ctx); err != nil {
			return nil, err
		}
		return nil, rpctypes.ErrNoSpace
	})
	result, err := r.Transition(t.Context(), ports.TransitionInput{
		UpdateStatusInput: stopInput("game"), Fence: &fence, Origin: ports.Origin{OperationID: opID},
	})
	require.NoError(t, err, "it was applied")
	require.Equal(t, r.requireApplied(1, "rejected"), result.Revision)
}

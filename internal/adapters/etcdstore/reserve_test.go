package etcdstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

// TestWritesThatEndAGame writes while the disk is full: the node of a game can record that it
// has stopped and was removed, and end its operations.
func TestWritesThatEndAGame(t *testing.T) { inEveryMode(t, testWritesThatEndAGame) }

func testWritesThatEndAGame(t *testing.T) {
	r := newFaultyFixture(t)
	fence := node.Fence{Key: r.prefix + "/nodes/eu/n1", CreateRevision: r.putRaw("/nodes/eu/n1", "me")}
	at := r.putIntent(operation.Intent{GameID: "starting", Current: newOperation(operation.KindStart)}, ports.IntentVersion{})
	r.faults.OnWrite(func(ctx context.Context, _ int, send faultkv.Send) (*clientv3.TxnResponse, error) {
		if !etcd.MayUseReserve(ctx) {
			return nil, rpctypes.ErrNoSpace
		}
		return send(ctx)
	})
	transition := func(from, to runtime.Status, fence *node.Fence) error {
		_, err := r.Transition(t.Context(), ports.TransitionInput{
			UpdateStatusInput: ports.UpdateStatusInput{GameID: "game", ExpectedFrom: from, To: to, Now: time.Now()}, Fence: fence,
		})
		return err
	}
	require.ErrorIs(t, transition(runtime.StatusRunning, runtime.StatusStopped, nil), runtime.ErrReadOnly, "not by its node")
	require.NoError(t, transition(runtime.StatusRunning, runtime.StatusStopped, &fence))
	require.ErrorIs(t, transition(runtime.StatusStopped, runtime.StatusRunning, &fence), runtime.ErrReadOnly)
	require.NoError(t, transition(runtime.StatusStopped, runtime.StatusRemoved, &fence))
	_, err := r.Put(t.Context(), ports.PutInput{Record: stoppedRecord("new"), Fence: &fence})
	require.ErrorIs(t, err, runtime.ErrReadOnly, "a new record")

	putIntent := func(current *operation.Operation, replaces ports.IntentVersion) error {
		_, err := r.PutIntent(t.Context(), operation.Intent{GameID: "starting", Current: current}, replaces, fence)
		return err
	}
	require.ErrorIs(t, putIntent(newOperation(operation.KindStart), at), runtime.ErrReadOnly, "a step of a start")
	require.NoError(t, putIntent(nil, at), "its outcome")
	for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
		current, err := r.GetIntent(t.Context(), "starting")
		require.NoError(t, err)
		require.NoError(t, putIntent(newOperation(kind), current.IntentVersion), kind)
	}
}

func newOperation(kind operation.Kind) *operation.Operation {
	return &operation.Operation{ID: opID, Kind: kind, Region: "eu", Node: "n1", Step: operation.StepAccepted}
}

package etcdstore_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/faultkv"
)

func TestCallerCancelsWhileAmbiguous(t *testing.T) { inEveryMode(t, testCallerCancelsWhileAmbiguous) }

func testCallerCancelsWhileAmbiguous(t *testing.T) {
	for name, lost := range map[string]func(func()) faultkv.Fault{
		"after the commit": faultkv.LoseReply, "before the commit": faultkv.LoseRequest,
	} {
		t.Run("cancelled "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			ctx, cancel := context.WithCancel(t.Context())
			r.faults.OnFirstWrite(lost(cancel))
			_, err := r.stop(ctx)
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.Canceled)
			require.ErrorContains(t, err, opID)
		})
		t.Run("deadline "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			ctx := newDeadline(t.Context())
			r.faults.OnFirstWrite(lost(ctx.expire))
			_, err := r.stop(ctx)
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		t.Run("with a cause "+name, func(t *testing.T) {
			t.Parallel()
			r := newFaultyFixture(t)
			deleted := errors.New("the operator canceled")
			ctx, cancel := context.WithCancelCause(t.Context())
			r.faults.OnFirstWrite(lost(func() { cancel(deleted) }))
			_, err := r.stop(ctx)
			require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
			require.ErrorIs(t, err, context.Canceled, "the context's own error")
			require.ErrorIs(t, err, deleted, "and its cause")
		})
	}
}

// deadline is a context whose deadline a test lets expire.
type deadline struct {
	context.Context
	expired chan struct{}
}

func newDeadline(parent context.Context) deadline { return deadline{parent, make(chan struct{})} }

func (d deadline) expire() { close(d.expired) }

// Done implements context.Context.
func (d deadline) Done() <-chan struct{} { return d.expired }

// Err implements context.Context.
func (d deadline) Err() error {
	select {
	case <-d.expired:
		return context.DeadlineExceeded
	default:
		return nil
	}
}

func TestOperationTimeoutWhileAmbiguous(t *testing.T) {
	inEveryMode(t, testOperationTimeoutWhileAmbiguous)
}

func testOperationTimeoutWhileAmbiguous(t *testing.T) {
	client, faults := newFaultyClient(t)
	r := newFixture(t, client, etcdstore.Options{OperationTimeout: time.Second})
	r.another().put(runningRecord("game"))
	faults.OnWrite(func(context.Context, int, faultkv.Send) (*clientv3.TxnResponse, error) {
		return nil, faultkv.ErrConnectionLost
	})
	err := r.UpdateStatus(t.Context(), stopInput("game"))
	require.ErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.NotErrorIs(t, err, context.DeadlineExceeded, "the caller set no deadline")
}

func TestContextEndedBeforeAnythingWasSent(t *testing.T) {
	inEveryMode(t, testContextEndedBeforeAnythingWasSent)
}

func testContextEndedBeforeAnythingWasSent(t *testing.T) {
	r := newFaultyFixture(t)
	r.faults.OnWrite(nil)

	canceled, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("a reason")
	cancel(cause)
	_, err := r.stop(canceled)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, cause)
	require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)

	if inMode(t, etcdstore.Options{}).NoCache { // a base from the cache needs no read
		reading, cancel2 := context.WithCancel(t.Context())
		defer cancel2()
		r.faults.OnRead(func(context.Context) error { cancel2(); return nil })
		_, err := r.upsert(reading) // it reads the ledger first
		require.ErrorIs(t, err, context.Canceled)
		r.faults.OnRead(func(ctx context.Context) error { cancel2(); return ctx.Err() })
		err = r.UpdateStatus(reading, stopInput("game"))
		require.ErrorIs(t, err, context.Canceled)
		require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
	}

	rejected, cancel3 := context.WithCancel(t.Context())
	r.faults.OnRead(nil)
	r.faults.OnWrite(func(context.Context, int, faultkv.Send) (*clientv3.TxnResponse, error) {
		cancel3()
		return nil, rpctypes.ErrTooManyRequests
	})
	_, err = r.stop(rejected)
	require.ErrorIs(t, err, context.Canceled, "etcd rejected it and the caller canceled: it was not applied")
	require.NotErrorIs(t, err, runtime.ErrOutcomeUnknown)
	require.Equal(t, 1, r.faults.Writes())
	r.faults.OnWrite(nil)
	r.requireApplied(0, "nothing was sent")
}

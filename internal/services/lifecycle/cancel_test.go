package lifecycle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestCancelRollsBackAHangingStart(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	start := nodetest.StartOp("g", hangingSpec())
	start.Spec.StopGrace = 0
	start.Origin.OperationID = "the-start"
	done := executeUntil(t, n, start, operation.StepAwaitingHealth)

	ada := ports.Origin{Actor: "ada", Reason: "wrong image"}
	require.ErrorIs(t, n.Service.Cancel(t.Context(), "g", "another", ada), operation.ErrUnknownOperation)
	require.ErrorIs(t, n.Service.Cancel(t.Context(), "other-game", "the-start", ada), operation.ErrUnknownOperation)
	require.NoError(t, n.Service.Cancel(t.Context(), "g", "the-start", ada))
	canceled := <-done
	require.ErrorIs(t, canceled.err, operation.ErrCanceled)
	require.EqualError(t, canceled.err, "operation was canceled by ada: wrong image")
	require.Equal(t, operation.FailureCanceled, canceled.outcome.Failure.Code)
	require.Empty(t, n.Containers("g"))

	stored, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Nil(t, stored.Intent.Current, "no stop follows")
	err = n.Service.Cancel(t.Context(), "g", "the-start", ada)
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "start the-start has ended")
}

// The previous container is kept.
func TestCancelKeepsThePreviousContainer(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	before := n.Record("g")
	spec := nodetest.GameSpec("1.0.0", "--never-healthy")
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	start := nodetest.StartOp("g", spec)
	start.Spec.HealthTimeout = hangingSpec().HealthTimeout
	start.Origin.OperationID = "the-start"
	done := executeUntil(t, n, start, operation.StepAwaitingHealth)
	require.NoError(t, n.Service.Cancel(t.Context(), "g", "the-start", ports.Origin{}))
	require.ErrorIs(t, (<-done).err, operation.ErrCanceled)
	record := n.Record("g")
	require.Equal(t, runtime.StatusStopped, record.Status)
	require.Equal(t, before.CurrentContainerID, record.CurrentContainerID)
}

func TestCancelRejectsAStop(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--slow-exit", "1h")
	spec.StopGrace = hangingSpec().StopGrace
	n.MustExecute(nodetest.StartOp("g", spec))
	stop := nodetest.Op(operation.KindStop, "g")
	stop.Origin.OperationID = "the-stop"
	done := executeUntil(t, n, stop, operation.StepStopping)
	err := n.Service.Cancel(t.Context(), "g", "the-stop", ports.Origin{})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "cannot be undone")
	n.MustExecute(stopWithin(0, "second", ""))
	require.NoError(t, (<-done).err)
}

// An operation that no daemon runs is claimed and rolled back.
func TestCancelClaimsAnInterruptedOperation(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	stored, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	record := n.Record("g")
	next := stored.Intent.Clone()
	next.Current = &operation.Operation{
		ID: "lost", Kind: operation.KindRestart, Spec: next.Spec, Region: n.Config.Region, Node: n.Config.Name,
		Step: operation.StepAccepted, Session: 1, PreviousRecord: &record,
	}
	_, err = n.Store.PutIntent(t.Context(), next, stored.IntentVersion)
	require.NoError(t, err)
	require.NoError(t, n.Service.Cancel(t.Context(), "g", "lost", ports.Origin{Actor: "ada"}))
	require.Eventually(t, func() bool { return !n.Service.HasActive("g") }, nodetest.Timeout, nodetest.Timeout/1000)
	stored, err = n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	outcome, isRecent := stored.Intent.OutcomeOf("lost")
	require.True(t, isRecent)
	require.Equal(t, operation.FailureCanceled, outcome.Failure.Code)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
}

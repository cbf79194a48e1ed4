package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// hangingSpec is of a game that never becomes healthy and ignores SIGTERM.
func hangingSpec() operation.Spec {
	spec := nodetest.GameSpec("1.0.0", "--never-healthy", "--slow-exit", "1h")
	spec.HealthTimeout, spec.StopGrace = operation.Duration(time.Hour), operation.Duration(time.Hour)
	return spec
}

func stopWithin(grace time.Duration, id, actor string) ports.OperationRequest {
	request := nodetest.Op(operation.KindStop, "g")
	request.StopGrace = &grace
	request.Origin = ports.Origin{OperationID: id, Actor: actor}
	return request
}

type executed struct {
	outcome operation.Outcome
	err     error
}

// executeUntil starts the operation and returns when it has reported the step.
func executeUntil(t *testing.T, n *nodetest.Node, request ports.OperationRequest, step operation.Step) <-chan executed {
	t.Helper()
	reached, done := make(chan struct{}), make(chan executed, 1)
	go func() {
		isReached := false
		outcome, err := n.Service.Execute(t.Context(), request, func(p operation.Progress) {
			if p.Step == step && !isReached {
				isReached = true
				close(reached)
			}
		})
		done <- executed{outcome, err}
	}()
	select {
	case <-reached:
	case e := <-done:
		require.Fail(t, "the operation ended", "%+v", e)
	}
	return done
}

func TestStopPreemptsAHangingStart(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	start := nodetest.StartOp("g", hangingSpec())
	start.Origin.OperationID = "the-start"
	done := executeUntil(t, n, start, operation.StepAwaitingHealth)

	other := nodetest.Op(operation.KindRestart, "g")
	_, err := n.Execute(other)
	require.ErrorIs(t, err, operation.ErrBusy, "only a stop preempts")

	stop := stopWithin(0, "the-stop", "ada")
	outcome := n.MustExecute(stop)
	require.Equal(t, "the-stop", outcome.OperationID)
	require.Equal(t, runtime.StatusRemoved, outcome.Record.Status)
	preempted := <-done
	require.ErrorIs(t, preempted.err, operation.ErrPreempted)
	require.ErrorContains(t, preempted.err, "ada")
	require.Equal(t, operation.FailurePreempted, preempted.outcome.Failure.Code)
	require.Empty(t, n.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, n.Record("g").Status)

	repeated := n.MustExecute(stop)
	require.Equal(t, outcome.FinishedAt, repeated.FinishedAt, "the recorded outcome")
	stored, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRemoved, stored.Intent.DesiredStatus)
}

func TestStopPreemptsAHangingRestart(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--slow-exit", "1h")
	spec.StopGrace = operation.Duration(time.Hour)
	n.MustExecute(nodetest.StartOp("g", spec))
	done := executeUntil(t, n, nodetest.Op(operation.KindRestart, "g"), operation.StepStopping)
	n.MustExecute(stopWithin(0, "the-stop", "ada"))
	require.ErrorIs(t, (<-done).err, operation.ErrPreempted)
	record := n.Record("g")
	require.Equal(t, runtime.StatusStopped, record.Status)
	require.Empty(t, record.EngineEndpoint, "nothing runs at the endpoint")
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Contains(t, history[0].Reason, "killed at once")
	require.Equal(t, container.StateExited, n.Containers("g")[0].State)
}

func TestShorterStopCutsAStopShort(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--slow-exit", "1h")
	spec.StopGrace = operation.Duration(time.Hour)
	n.MustExecute(nodetest.StartOp("g", spec))
	done := executeUntil(t, n, nodetest.Op(operation.KindStop, "g"), operation.StepStopping)
	_, err := n.Execute(nodetest.Op(operation.KindStop, "g"))
	require.ErrorIs(t, err, operation.ErrBusy, "it would not kill the game earlier")

	second := executeUntil(t, n, stopWithin(30*time.Minute, "second", "eve"), operation.StepAccepted)
	n.MustExecute(stopWithin(0, "third", "ada"))
	first := <-done
	require.NoError(t, first.err, "the stop in progress succeeds")
	replaced := <-second
	require.ErrorIs(t, replaced.err, operation.ErrPreempted, "the stop that waited is replaced")
	require.Equal(t, runtime.StatusStopped, n.Record("g").Status)
}

// The daemon is killed while a stop waits for the operation that it has preempted. The next
// daemon rolls back, and carries out the stop.
func TestStopPreemptsTheOperationOfADeadDaemon(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	start := nodetest.StartOp("g", hangingSpec())
	_ = executeUntil(t, n, start, operation.StepAwaitingHealth)
	n.Crash()

	next := n.Restart()
	outcome := next.MustExecute(stopWithin(0, "the-stop", "ada"))
	require.Equal(t, "the-stop", outcome.OperationID)
	require.Empty(t, next.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, next.Record("g").Status)
}

func TestOperationIDOfAnotherRequestIsRejected(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	start := nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))
	start.Origin.OperationID = "key"
	n.MustExecute(start)
	n.MustExecute(start)
	other := nodetest.StartOp("g", nodetest.GameSpec("1.0.1"))
	other.Origin.OperationID = "key"
	for _, request := range []ports.OperationRequest{other, {GameID: "g", Kind: operation.KindStop, Origin: ports.Origin{OperationID: "key"}}} {
		_, err := n.Execute(request)
		require.ErrorIs(t, err, operation.ErrIDReused)
	}
}

// The health timeout of a start does not restart with the next daemon.
func TestTimeoutSurvivesADaemon(t *testing.T) {
	t.Parallel()
	var offset time.Duration
	n := nodetest.New(t, nodetest.Config{Clock: time.Now})
	spec := nodetest.GameSpec("1.0.0", "--never-healthy")
	spec.HealthTimeout = operation.Duration(50 * time.Minute)
	start := nodetest.StartOp("g", spec)
	start.Origin.OperationID = "the-start"
	_ = executeUntil(t, n, start, operation.StepAwaitingHealth)
	n.Crash()

	offset = time.Hour // the node was down for an hour
	n.Config.Clock = func() time.Time { return time.Now().Add(offset) }
	next := n.Restart()
	outcome, err := next.Service.Resume(t.Context(), "g")
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Equal(t, "the-start", outcome.OperationID)
	require.Empty(t, next.Containers("g"))
}

package lifecycle_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// blockingEngine blocks in Stop until the test releases it, and can be unavailable.
type blockingEngine struct {
	ports.Engine
	stopping chan struct{} // receives a value when Stop is called
	release  chan struct{} // closed by the test to continue
	starts   atomic.Int64  // calls of Start
	down     atomic.Bool
}

func (e *blockingEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	if e.down.Load() {
		return container.ErrEngineUnavailable
	}
	select {
	case e.stopping <- struct{}{}:
	default:
	}
	<-e.release
	if e.down.Load() {
		return container.ErrEngineUnavailable
	}
	return e.Engine.Stop(ctx, id, grace)
}

func (e *blockingEngine) Start(ctx context.Context, id string) error {
	if e.down.Load() {
		return container.ErrEngineUnavailable
	}
	e.starts.Add(1)
	return e.Engine.Start(ctx, id)
}

func (e *blockingEngine) Inspect(ctx context.Context, id string) (container.Container, error) {
	if e.down.Load() {
		return container.Container{}, container.ErrEngineUnavailable
	}
	return e.Engine.Inspect(ctx, id)
}

func (e *blockingEngine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if e.down.Load() {
		return nil, container.ErrEngineUnavailable
	}
	return e.Engine.List(ctx, gameID)
}

// startBlockedRestart returns a node with a running game and a restart in progress, which
// blocks in Stop.
func startBlockedRestart(t *testing.T) (*nodetest.Node, *blockingEngine, <-chan error) {
	t.Helper()
	engine := &blockingEngine{stopping: make(chan struct{}, 1), release: make(chan struct{})}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine },
		Reconcile:  reconcile.Config{Interval: 50 * time.Millisecond},
	})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	engine.starts.Store(0)
	errc := make(chan error, 1)
	request := nodetest.Op(operation.KindRestart, "g")
	request.Origin.OperationID = "the-restart"
	go func() {
		_, err := n.Service.Execute(t.Context(), request, nil)
		errc <- err
	}()
	<-engine.stopping
	return n, engine, errc
}

func outcomeOf(t *testing.T, n *nodetest.Node) (operation.Outcome, bool) {
	t.Helper()
	intent, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	outcome, found := intent.Intent.OutcomeOf("the-restart")
	return outcome, found && intent.Intent.Current == nil
}

// A daemon loses its session during an operation: it does not continue the operation
// until it has a new session and resumes it.
func TestOperationWhoseDaemonLosesItsSession(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a new session")
	}
	t.Parallel()
	n, engine, errc := startBlockedRestart(t)
	old, joined := n.Member.Fence()
	require.True(t, joined)
	_, err := etcdtest.InProcess(t).Delete(t.Context(), old.Key)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		fence, joined := n.Member.Fence()
		return joined && fence != old
	}, nodetest.Timeout, 10*time.Millisecond, "the node joins with a new session")
	close(engine.release)
	require.ErrorIs(t, <-errc, runtime.ErrOutcomeUnknown)
	require.Zero(t, engine.starts.Load(), "it has not continued under the new session")
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status, "it has written nothing")

	n.Run()
	require.Eventually(t, func() bool { _, done := outcomeOf(t, n); return done }, nodetest.Timeout, 10*time.Millisecond, "the operation is resumed")
	outcome, _ := outcomeOf(t, n)
	require.Nil(t, outcome.Failure)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State)
}

// The engine is unavailable for longer than RetryTimeout: the operation is interrupted,
// and completed when the engine is available.
func TestEngineDownForLongerThanTheRetryTimeout(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the retry timeout")
	}
	t.Parallel()
	n, engine, errc := startBlockedRestart(t)
	engine.down.Store(true)
	close(engine.release)
	require.ErrorIs(t, <-errc, container.ErrEngineUnavailable)
	_, done := outcomeOf(t, n)
	require.False(t, done, "it has an outcome")
	n.Run()
	_, err := n.Reconcile.Pass(t.Context())
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status, "unknown never becomes stopped")

	engine.down.Store(false)
	require.Eventually(t, func() bool { _, done := outcomeOf(t, n); return done }, nodetest.Timeout, 10*time.Millisecond, "the operation ends")
	outcome, _ := outcomeOf(t, n)
	require.Equal(t, operation.FailureEngine, outcome.Failure.Code)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State, "the game is restored")
}

// Daemons with different clocks resume each other's operations, and no deadline is
// exceeded because of the difference.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for name, offset := range map[string]time.Duration{"behind": -10 * time.Minute, "ahead": 10 * time.Minute, "far behind": -1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodetest.New(t, nodetest.Config{Clock: func() time.Time { return time.Now().Add(offset) }})
			n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--slow-exit", "300ms")))
			for _, kind := range []operation.Kind{operation.KindRestart, operation.KindStop, operation.KindStart} {
				n.MustExecute(nodetest.Op(kind, "g"))
			}
			crashDuringRestart(t, n)

			next := n.Restart()
			intent, err := next.Store.GetIntent(t.Context(), "g")
			require.NoError(t, err)
			require.NotNil(t, intent.Intent.Current)
			next.Run()
			require.Eventually(t, func() bool { _, done := outcomeOf(t, next); return done }, nodetest.Timeout, 10*time.Millisecond, "the next daemon completes it")
			outcome, _ := outcomeOf(t, next)
			require.Nil(t, outcome.Failure)
			require.Equal(t, runtime.StatusRunning, next.Record("g").Status)
		})
	}
}

// crashDuringRestart crashes the node while it restarts the game. The next daemon has the
// correct time.
func crashDuringRestart(t *testing.T, n *nodetest.Node) {
	t.Helper()
	stopping := make(chan struct{})
	request := nodetest.Op(operation.KindRestart, "g")
	request.Origin.OperationID = "the-restart"
	go func() {
		signal := stopping
		_, _ = n.Service.Execute(t.Context(), request, func(p operation.Progress) {
			if p.Step == operation.StepStopping && signal != nil {
				close(signal)
				signal = nil
			}
		})
	}()
	<-stopping
	n.Crash()
	n.Config.Clock = nil
}

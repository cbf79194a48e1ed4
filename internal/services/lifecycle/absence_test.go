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

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, nodetest.Timeout, 10*time.Millisecond, what)
}

// gate is an engine whose Stop waits, and which can be away.
type gate struct {
	ports.Engine
	at   chan struct{} // gets a value when a Stop begins
	open chan struct{} // closed to let it go on
	acts atomic.Int64  // starts and creations, after all
	away atomic.Bool
}

func (g *gate) Stop(ctx context.Context, id string, grace time.Duration) error {
	if g.away.Load() {
		return container.ErrEngineUnavailable
	}
	select {
	case g.at <- struct{}{}:
	default:
	}
	<-g.open
	if g.away.Load() {
		return container.ErrEngineUnavailable
	}
	return g.Engine.Stop(ctx, id, grace)
}

func (g *gate) Start(ctx context.Context, id string) error {
	if g.away.Load() {
		return container.ErrEngineUnavailable
	}
	g.acts.Add(1)
	return g.Engine.Start(ctx, id)
}

func (g *gate) Inspect(ctx context.Context, id string) (container.Container, error) {
	if g.away.Load() {
		return container.Container{}, container.ErrEngineUnavailable
	}
	return g.Engine.Inspect(ctx, id)
}

func (g *gate) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if g.away.Load() {
		return nil, container.ErrEngineUnavailable
	}
	return g.Engine.List(ctx, gameID)
}

// gated makes a node with a game that runs, and begins a restart, which waits at the
// gate.
func gated(t *testing.T) (*nodetest.Node, *gate, <-chan error) {
	t.Helper()
	g := &gate{at: make(chan struct{}, 1), open: make(chan struct{})}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(e ports.Engine) ports.Engine { g.Engine = e; return g },
		Reconcile:  reconcile.Config{Interval: 50 * time.Millisecond},
	})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	g.acts.Store(0)
	over := make(chan error, 1)
	request := nodetest.Op(operation.KindRestart, "g")
	request.Origin.OperationID = "the-restart"
	go func() {
		_, err := n.Service.Execute(t.Context(), request, nil)
		over <- err
	}()
	<-g.at
	return n, g, over
}

func outcomeOf(t *testing.T, n *nodetest.Node) (operation.Outcome, bool) {
	t.Helper()
	intent, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	outcome, known := intent.Intent.OutcomeOf("the-restart")
	return outcome, known && intent.Intent.Current == nil
}

// The presence is lost in the middle of an operation: what comes next is not done,
// until the node is back and takes the operation up again.
func TestOperationWhoseDaemonLosesItsPresence(t *testing.T) {
	t.Parallel()
	n, g, over := gated(t)
	old, present := n.Member.Fence()
	require.True(t, present)
	_, err := etcdtest.InProcess(t).Delete(t.Context(), old.Key)
	require.NoError(t, err)
	eventually(t, "the node joins again", func() bool {
		fence, present := n.Member.Fence()
		return present && fence != old
	})
	close(g.open)
	require.ErrorIs(t, <-over, runtime.ErrOutcomeUnknown)
	require.Zero(t, g.acts.Load(), "it has gone on under another presence")
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status, "and has written nothing")

	n.Run()
	eventually(t, "it is taken up again", func() bool { _, done := outcomeOf(t, n); return done })
	outcome, _ := outcomeOf(t, n)
	require.Nil(t, outcome.Failure)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State)
}

// The engine is away for longer than an operation's patience: it is left as it
// stands, and brought to an end when the engine is there again.
func TestEngineThatIsAwayForLong(t *testing.T) {
	t.Parallel()
	n, g, over := gated(t)
	g.away.Store(true)
	close(g.open)
	require.ErrorIs(t, <-over, container.ErrEngineUnavailable)
	_, done := outcomeOf(t, n)
	require.False(t, done, "it has an end that nobody has seen")
	n.Run()
	_, err := n.Reconcile.Pass(t.Context())
	require.NoError(t, err)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status, "unknown never becomes stopped")

	g.away.Store(false)
	eventually(t, "it comes to an end", func() bool { _, done := outcomeOf(t, n); return done })
	outcome, _ := outcomeOf(t, n)
	require.Equal(t, operation.FailureEngine, outcome.Failure.Code)
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State, "the game is put back")
}

// Managers whose clocks are ten minutes apart, either way: what one leaves behind the
// other brings to an end, and no deadline is over because of it.
func TestClocksThatDiffer(t *testing.T) {
	t.Parallel()
	for name, off := range map[string]time.Duration{"behind": -10 * time.Minute, "ahead": 10 * time.Minute, "far behind": -1000 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			n := nodetest.New(t, nodetest.Config{Clock: func() time.Time { return time.Now().Add(off) }})
			n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--slow-exit", "300ms")))
			for _, kind := range []operation.Kind{operation.KindRestart, operation.KindStop, operation.KindStart} {
				n.MustExecute(nodetest.Op(kind, "g"))
			}
			leftBehind(t, n)

			next := n.Restart()
			intent, err := next.Store.GetIntent(t.Context(), "g")
			require.NoError(t, err)
			require.NotNil(t, intent.Intent.Current)
			next.Run()
			eventually(t, "the next daemon ends it", func() bool { _, done := outcomeOf(t, next); return done })
			outcome, _ := outcomeOf(t, next)
			require.Nil(t, outcome.Failure)
			require.Equal(t, runtime.StatusRunning, next.Record("g").Status)
		})
	}
}

// leftBehind kills the node as it restarts the game. The next daemon has the right time.
func leftBehind(t *testing.T, n *nodetest.Node) {
	t.Helper()
	at := make(chan struct{})
	request := nodetest.Op(operation.KindRestart, "g")
	request.Origin.OperationID = "the-restart"
	go func() {
		once := at
		_, _ = n.Service.Execute(t.Context(), request, func(p operation.Progress) {
			if p.Step == operation.StepStopping && once != nil {
				close(once)
				once = nil
			}
		})
	}()
	<-at
	n.Crash()
	n.Config.Clock = nil
}

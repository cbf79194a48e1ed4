package lifecycle_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// movingGame is a game on node n1 whose move to n2 is in progress. No worker runs, so the test
// decides when a node continues the move.
type movingGame struct {
	t        *testing.T
	from, to *nodetest.Node
	outcome  chan error
}

// beginMove starts the game g on n1, and requests its move to n2. wrapTarget, if not nil, returns
// a decorator of the engine of n2.
func beginMove(t *testing.T, wrapTarget func(ports.Engine) ports.Engine) *movingGame {
	t.Helper()
	return beginMoveOf(t, nodetest.GameSpec("1.0.0"), nodetest.Config{}, nodetest.Config{WrapEngine: wrapTarget})
}

// beginMoveOf is beginMove of a game with the spec, between nodes with the settings.
func beginMoveOf(t *testing.T, spec operation.Spec, from, to nodetest.Config) *movingGame {
	t.Helper()
	prefix := etcdtest.Prefix(t)
	newNode := func(name string, cfg nodetest.Config) *nodetest.Node {
		cfg.Prefix, cfg.Region, cfg.Name, cfg.LeaseTTL, cfg.MinUptime = prefix, "eu", name, 2*time.Minute, time.Millisecond
		return nodetest.New(t, cfg)
	}
	g := &movingGame{t: t, from: newNode("n1", from), to: newNode("n2", to), outcome: make(chan error, 1)}
	g.from.MustExecute(nodetest.StartOp("g", spec))
	request := nodetest.Op(operation.KindMove, "g")
	request.Target, request.Origin.OperationID = &node.Ref{Name: "n2"}, "move-1"
	go func() {
		_, err := g.from.Execute(request)
		g.outcome <- err
	}()
	g.awaitStep("n2", operation.StepAccepted)
	return g
}

// current returns the operation in progress, nil for none.
func (g *movingGame) current() *operation.Operation {
	intent, err := g.from.Store.GetIntent(context.WithoutCancel(g.t.Context()), "g")
	require.NoError(g.t, err)
	return intent.Intent.Current
}

// awaitStep waits until the move waits for the node at the step.
func (g *movingGame) awaitStep(name string, step operation.Step) {
	g.t.Helper()
	require.Eventually(g.t, func() bool {
		op := g.current()
		return op != nil && op.Node == name && op.Step == step && op.Session == 0
	}, nodetest.Timeout, 10*time.Millisecond)
}

// resume lets the node continue the move as far as it can.
func (g *movingGame) resume(n *nodetest.Node) {
	g.t.Helper()
	ctx, cancel := context.WithTimeout(g.t.Context(), nodetest.Timeout)
	defer cancel()
	_, err := n.Service.Resume(ctx, "g")
	require.NoError(g.t, err)
}

// requireRunning fails the test unless the game runs on the node only.
func (g *movingGame) requireRunning(n, other *nodetest.Node) {
	g.t.Helper()
	record := n.Record("g")
	require.Equal(g.t, []string{n.Config.Name, "running"}, []string{record.Node, string(record.Status)})
	for _, c := range n.Containers("g") {
		require.Equal(g.t, c.ID == record.CurrentContainerID, c.State == "running", "container %s is %s", c.ID, c.State)
	}
	for _, c := range other.Containers("g") {
		require.NotEqual(g.t, "running", string(c.State))
	}
}

// Each node continues the move when it was assigned to it, however late, and another operation
// is rejected in the meantime.
func TestMovePassesBetweenTheNodes(t *testing.T) {
	t.Parallel()
	g := beginMove(t, nil)
	_, err := g.from.Execute(nodetest.Op(operation.KindRestart, "g"))
	require.ErrorIs(t, err, operation.ErrBusy)
	g.resume(g.to)
	g.awaitStep("n1", operation.StepStopping)
	g.requireRunning(g.from, g.to)
	require.Len(t, g.to.Containers("g"), 1, "the other node is prepared")
	g.resume(g.from)
	g.awaitStep("n2", operation.StepStarting)
	require.Equal(t, runtime.StatusStopped, g.from.Record("g").Status)
	g.resume(g.to)
	require.NoError(t, <-g.outcome)
	g.requireRunning(g.to, g.from)
	require.Nil(t, g.current())
}

// Another daemon of each node continues the move: the crash of a daemon only delays it.
func TestMoveContinuesAfterCrashes(t *testing.T) {
	t.Parallel()
	for name, crashAt := range map[string]int{"before the target prepares": 0, "before the source stops": 1, "before the target starts": 2} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := beginMove(t, nil)
			steps := []func(){
				func() { g.resume(g.to) }, func() { g.resume(g.from) }, func() { g.resume(g.to) },
			}
			for i, step := range steps {
				if i == crashAt {
					g.to.Crash()
					g.to = g.to.Restart()
					g.from.Crash()
					<-g.outcome // the request ends with its daemon
					g.from = g.from.Restart()
				}
				step()
			}
			g.requireRunning(g.to, g.from)
			require.Nil(t, g.current())
			request := nodetest.Op(operation.KindMove, "g")
			request.Target, request.Origin.OperationID = &node.Ref{Name: "n2"}, "move-1"
			outcome, err := g.from.Execute(request)
			require.NoError(t, err, "a repeated request gets the outcome")
			require.Equal(t, "n2", outcome.Record.Node)
		})
	}
}

// unableEngine is an engine that starts nothing.
type unableEngine struct{ ports.Engine }

func (unableEngine) Start(context.Context, string) error { return operation.ErrStartFailed }

// The game does not start on the target: the source starts it.
func TestFailedMoveIsRolledBack(t *testing.T) {
	t.Parallel()
	g := beginMove(t, func(engine ports.Engine) ports.Engine { return unableEngine{engine} })
	before := g.from.Record("g")
	g.resume(g.to)
	g.resume(g.from)
	g.resume(g.to)
	g.awaitStep("n1", operation.StepRollingBack)
	require.Empty(t, g.to.Containers("g"))
	_, err := g.from.Service.Resume(t.Context(), "g")
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorIs(t, <-g.outcome, operation.ErrStartFailed)
	g.requireRunning(g.from, g.to)
	require.Equal(t, before.CurrentContainerID, g.from.Record("g").CurrentContainerID)
}

// The target is lost after the game was stopped for it: the source starts the game.
func TestMoveToANodeThatIsLost(t *testing.T) {
	t.Parallel()
	g := beginMove(t, nil)
	g.resume(g.to)
	g.resume(g.from)
	g.awaitStep("n2", operation.StepStarting)
	require.NoError(t, g.to.Member.Close())
	g.reclaim()
	_, err := g.from.Service.Resume(t.Context(), "g")
	require.ErrorIs(t, err, node.ErrUnreachable)
	require.ErrorIs(t, <-g.outcome, node.ErrUnreachable)
	g.requireRunning(g.from, g.to)
}

// The target is lost after it may have started the game: the source starts it only after the grace period, and only
// if the policy of the game for lost nodes allows that.
func TestMoveToANodeThatIsLostWhileItStartsTheGame(t *testing.T) {
	t.Parallel()
	for name, policy := range map[string]operation.NodeLostPolicy{"keep": operation.NodeLostKeep, "reschedule": operation.NodeLostReschedule} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := nodetest.GameSpec("1.0.0")
			spec.OnNodeLost = policy
			const grace = time.Minute
			var offset atomic.Int64
			clock := func() time.Time { return time.Now().Add(time.Duration(offset.Load())) }
			g := beginMoveOf(t, spec, nodetest.Config{NodeLostGrace: grace, Clock: clock}, nodetest.Config{})
			g.resume(g.to)
			g.resume(g.from)
			g.awaitStep("n2", operation.StepStarting)
			stored, err := g.from.Store.GetIntent(t.Context(), "g")
			require.NoError(t, err)
			stored.Intent.Current.Session = 1 // the target has claimed the step
			_, err = g.from.Store.PutIntent(t.Context(), stored.Intent, stored.IntentVersion)
			require.NoError(t, err)
			require.NoError(t, g.to.Member.Close())

			require.ErrorIs(t, g.tryReclaim(), operation.ErrBusy)
			offset.Add(int64(grace))
			if policy == operation.NodeLostKeep {
				require.ErrorIs(t, g.tryReclaim(), operation.ErrBusy)
				require.Equal(t, "n2", g.current().Node)
				return
			}
			require.NoError(t, g.tryReclaim())
			_, err = g.from.Service.Resume(t.Context(), "g")
			require.ErrorIs(t, err, node.ErrUnreachable)
			g.requireRunning(g.from, g.to)
		})
	}
}

// The target is lost before it is prepared: the game continues to run.
func TestMoveToANodeThatIsLostEarly(t *testing.T) {
	t.Parallel()
	g := beginMove(t, nil)
	before := g.from.Record("g")
	require.NoError(t, g.to.Member.Close())
	g.reclaim()
	require.ErrorIs(t, <-g.outcome, node.ErrUnreachable)
	require.Equal(t, before, g.from.Record("g"))
}

// reclaim remediates the finding that the move of a game of n1 is assigned to an absent node.
func (g *movingGame) reclaim() {
	g.t.Helper()
	require.NoError(g.t, g.tryReclaim())
}

// tryReclaim is reclaim, and returns its error.
func (g *movingGame) tryReclaim() error {
	g.t.Helper()
	stored, record, err := g.from.Store.GetIntentAndRecord(g.t.Context(), "g")
	require.NoError(g.t, err)
	findings := drift.Detect(drift.Observation{
		GameID: "g", Region: "eu", Node: "n1", Record: &record.Record, RecordRevision: record.Revision,
		Intent: stored.Intent, IntentRevision: stored.Revision, Now: time.Now(),
	})
	require.Len(g.t, findings, 1)
	require.Equal(g.t, drift.ActionCompleteOperation, findings[0].Action)
	return g.from.Service.Remediate(g.t.Context(), findings[0], "")
}

func TestInvalidMoves(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{MinUptime: time.Millisecond})
	move := func(gameID string, target *node.Ref) error {
		_, err := n.Execute(ports.OperationRequest{GameID: gameID, Kind: operation.KindMove, Target: target})
		return err
	}
	require.ErrorIs(t, move("none", &node.Ref{Name: "n2"}), runtime.ErrNotFound)
	require.ErrorIs(t, move("g", nil), runtime.ErrInvalid)
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	require.ErrorIs(t, move("g", &node.Ref{Name: "n1"}), operation.ErrRejected)
	require.ErrorIs(t, move("g", &node.Ref{Name: "n2"}), node.ErrUnreachable)
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	n.MustExecute(nodetest.Op(operation.KindCleanup, "g"))
	require.ErrorContains(t, move("g", &node.Ref{Name: "n2"}), "start it on the other node instead")
}

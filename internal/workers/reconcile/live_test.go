package reconcile_test

import (
	"context"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, nodetest.Timeout, 10*time.Millisecond, what)
}

func statusOf(n *nodetest.Node, t *testing.T, gameID string) runtime.Status {
	t.Helper()
	record, err := n.Store.Get(t.Context(), gameID)
	if err != nil {
		return ""
	}
	return record.Status
}

// kill kills the game's own process with signal 9.
func kill(t *testing.T, endpoint string) {
	t.Helper()
	require.NoError(t, syscall.Kill(nodetest.GamePID(t, endpoint), syscall.SIGKILL))
}

func TestRecordFollowsAKill(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	kill(t, n.Record("g").EngineEndpoint)
	eventually(t, "the record becomes stopped", func() bool { return statusOf(n, t, "g") == runtime.StatusStopped })
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "reconcile", history[0].Actor)
	require.Contains(t, history[0].Reason, "killed by signal 9")
}

func TestCrashPolicyStartsAgainSoManyTimes(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	spec := nodetest.GameSpec("1.0.0")
	spec.Crash = operation.CrashPolicy{Attempts: 2, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", spec))
	for restart := 1; restart <= 2; restart++ {
		n.Crash() // what counts is in the store, and not with the daemon
		n = n.Restart()
		n.Run()
		before := n.Record("g")
		kill(t, before.EngineEndpoint)
		eventually(t, "it runs again", func() bool {
			after := n.Record("g")
			return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt) && !n.Service.HasActive("g")
		})
		require.Equal(t, before.CurrentContainerID, n.Record("g").CurrentContainerID)
		intent, err := n.Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		require.Len(t, intent.Intent.Restarts, restart)
	}
	kill(t, n.Record("g").EngineEndpoint)
	eventually(t, "it is found to crash too often", func() bool {
		found := n.Reconcile.Findings("g")
		return len(found) == 1 && found[0].Kind == drift.KindCrashLoop
	})
	require.Equal(t, runtime.StatusStopped, statusOf(n, t, "g"))
}

func TestStoppedGameIsNotStartedAgain(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Reconcile: reconcile.Config{Interval: 100 * time.Millisecond}})
	n.Run()
	spec := nodetest.GameSpec("1.0.0")
	spec.Crash = operation.CrashPolicy{Attempts: 5, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", spec))
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	for range 3 {
		_, err := n.Reconcile.Pass(t.Context())
		require.NoError(t, err)
		require.Empty(t, n.Reconcile.Findings("g"))
	}
	require.Equal(t, runtime.StatusStopped, statusOf(n, t, "g"))
}

func TestContainerRemovedByHand(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	require.NoError(t, n.Engine.Remove(t.Context(), n.Record("g").CurrentContainerID))
	eventually(t, "the record becomes removed", func() bool { return statusOf(n, t, "g") == runtime.StatusRemoved })
}

// plant makes a container of the game that nobody has asked for.
func plant(t *testing.T, n *nodetest.Node, gameID string, generation int64, started bool) container.Container {
	t.Helper()
	c, err := n.Engine.Create(t.Context(), container.Spec{
		Name: "planted-" + gameID, ContainerPort: 8080,
		Labels: container.Labels{
			Store: n.Store.ID(), GameID: gameID, Region: "eu", Node: "n1", Image: "gameserver:1.0.0", Generation: generation, OperationID: "planted",
		},
	})
	require.NoError(t, err)
	if started {
		require.NoError(t, n.Engine.Start(t.Context(), c.ID))
	}
	return c
}

func TestOrphanIsAdoptedOnceItHasBeenSeenForLong(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Reconcile: reconcile.Config{AdoptAfter: 300 * time.Millisecond}})
	n.Run()
	c := plant(t, n, "orphan", 7, true)
	eventually(t, "it is adopted", func() bool { return statusOf(n, t, "orphan") == runtime.StatusRunning })
	record := n.Record("orphan")
	require.Equal(t, c.ID, record.CurrentContainerID)
	require.Equal(t, int64(7), record.Generation)
	require.NoError(t, record.Validate())

	adopted, err := n.Store.GetIntent(t.Context(), "orphan")
	require.NoError(t, err)
	require.True(t, adopted.Intent.Spec.WithDefaults().HasHealthCheck(), "it has answered")
	n.MustExecute(nodetest.Op(operation.KindRestart, "orphan"))
	n.MustExecute(nodetest.Op(operation.KindStop, "orphan"))
	n.MustExecute(nodetest.Op(operation.KindCleanup, "orphan"))
	plant(t, n, "orphan", 8, true)
	eventually(t, "what claims to be a removed game goes", func() bool { return len(n.Containers("orphan")) == 0 })
	require.Equal(t, runtime.StatusRemoved, statusOf(n, t, "orphan"), "a removed game is never adopted")
}

func TestOfTwoLiveContainersTheRecordedOneWins(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	plant(t, n, "g", 0, true)
	eventually(t, "the twin goes", func() bool { return len(n.Containers("g")) == 1 })
	require.Equal(t, n.Record("g").CurrentContainerID, n.Containers("g")[0].ID)
	require.Equal(t, runtime.StatusRunning, statusOf(n, t, "g"))
}

func TestRecordOfAnotherImageIsCorrected(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	wrong := n.Record("g")
	wrong.CurrentImageRef = "gameserver:3.0.0"
	require.NoError(t, n.Store.Upsert(t.Context(), wrong))
	eventually(t, "the record tells the truth", func() bool { return n.Record("g").CurrentImageRef == "gameserver:1.0.0" })
}

// lying is an engine that can be made to answer wrongly, or not at all.
type lying struct {
	ports.Engine
	empty, away atomic.Bool
}

func (l *lying) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if l.away.Load() {
		return nil, container.ErrEngineUnavailable
	}
	if l.empty.Load() {
		return []container.Container{}, nil
	}
	return l.Engine.List(ctx, gameID)
}

func (l *lying) Inspect(ctx context.Context, id string) (container.Container, error) {
	if l.away.Load() {
		return container.Container{}, container.ErrEngineUnavailable
	}
	if l.empty.Load() {
		return container.Container{}, container.ErrNoContainer
	}
	return l.Engine.Inspect(ctx, id)
}

func lyingNode(t *testing.T) (*nodetest.Node, *lying) {
	t.Helper()
	engine := &lying{}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine },
		Reconcile:  reconcile.Config{Interval: 50 * time.Millisecond},
	})
	for _, gameID := range []string{"a", "b", "c"} {
		n.MustExecute(nodetest.StartOp(gameID, nodetest.GameSpec("1.0.0")))
	}
	return n, engine
}

// An engine that does not answer is not an engine without containers.
func TestUnknownNeverBecomesStopped(t *testing.T) {
	t.Parallel()
	n, engine := lyingNode(t)
	engine.away.Store(true)
	t.Cleanup(func() { engine.away.Store(false) })
	n.Run()
	for range 5 {
		_, err := n.Reconcile.Pass(t.Context())
		require.NoError(t, err)
	}
	for _, gameID := range []string{"a", "b", "c"} {
		require.Equal(t, runtime.StatusRunning, statusOf(n, t, gameID))
		found := n.Reconcile.Findings(gameID)
		require.Len(t, found, 1)
		require.Equal(t, drift.KindUnknown, found[0].Kind)
	}
	_, err := n.Execute(nodetest.Op(operation.KindStop, "a"))
	require.ErrorIs(t, err, container.ErrEngineUnavailable, "and nothing is begun that cannot go on")
	intent, err := n.Store.GetIntent(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current)
}

func TestEmptyListPutsTheBrakeOn(t *testing.T) {
	t.Parallel()
	n, engine := lyingNode(t)
	engine.empty.Store(true)
	t.Cleanup(func() { engine.empty.Store(false) })
	n.Run()
	eventually(t, "the brake is on", func() bool { return n.Reconcile.Brake() != nil })
	report, err := n.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 3)
	for _, f := range report.Findings {
		require.Equal(t, drift.KindMissing, f.Kind)
		require.Contains(t, f.BlockedBy, "the brake is on")
		require.Equal(t, runtime.StatusRunning, statusOf(n, t, f.GameID))
	}
	require.Contains(t, report.Brakes[0].Reason, "3 games while 3 are said to run")
	for _, result := range n.Reconcile.Apply(t.Context(), report.Findings, "") {
		require.Equal(t, drift.ApplyBlocked, result.Status)
	}

	require.NoError(t, n.Reconcile.ReleaseBrake())
	eventually(t, "what was held goes on", func() bool {
		return !strings.Contains(string(statusOf(n, t, "a")+statusOf(n, t, "b")+statusOf(n, t, "c")), "running")
	})
	require.ErrorIs(t, n.Reconcile.ReleaseBrake(), operation.ErrRefused)
}

func TestStaleFindingIsRefused(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	kill(t, n.Record("g").EngineEndpoint)
	var report drift.Report
	eventually(t, "the exit is found", func() bool {
		var err error
		report, err = n.Reconcile.Report(t.Context())
		assert.NoError(t, err)
		return len(report.Findings) == 1
	})
	n.MustExecute(nodetest.Op(operation.KindRestart, "g"))
	results := n.Reconcile.Apply(t.Context(), report.Findings, "")
	require.Equal(t, drift.ApplyStale, results[0].Status)
	require.Equal(t, runtime.StatusRunning, statusOf(n, t, "g"))
}

// Who had a finding acted on is the actor of what follows.
func TestAppliedFindingNamesItsActor(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(games[0], 0)}))
	require.NoError(t, s.machine.Exit(s.node.Record("g").CurrentContainerID, 1))
	report, err := s.node.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Equal(t, drift.ApplyDone, s.node.Reconcile.Apply(t.Context(), report.Findings, "ada")[0].Status)
	history, err := s.node.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "ada", history[0].Actor)
}

func TestHungGameIsRestartedByItsPolicy(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	spec := nodetest.GameSpec("1.0.0")
	spec.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", spec))
	before := n.Record("g")
	nodetest.PostToGame(t, before.EngineEndpoint, "/hang")
	eventually(t, "it is restarted", func() bool {
		after := n.Record("g")
		return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt)
	})
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Contains(t, history[0].Reason, "health check")
}

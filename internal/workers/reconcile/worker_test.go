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

	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

func statusOf(n *nodetest.Node, t *testing.T, gameID string) runtime.Status {
	t.Helper()
	record, err := n.Store.Get(t.Context(), gameID)
	if err != nil {
		return ""
	}
	return record.Status
}

// kill sends SIGKILL to the process of the game.
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
	require.Eventually(t, func() bool { return statusOf(n, t, "g") == runtime.StatusStopped }, nodetest.Timeout, 10*time.Millisecond, "the record becomes stopped")
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "reconcile", history[0].Actor)
	require.Contains(t, history[0].Reason, "killed by signal 9")
}

func TestCrashPolicyLimitsRestarts(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	spec := nodetest.GameSpec("1.0.0")
	spec.Crash = operation.CrashPolicy{Attempts: 2, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", spec))
	for restart := 1; restart <= 2; restart++ {
		n.Crash() // the count is in the store, not in the daemon
		n = n.Restart()
		n.Run()
		before := n.Record("g")
		kill(t, before.EngineEndpoint)
		require.Eventually(t, func() bool {
			after := n.Record("g")
			return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt) && !n.Service.HasActive("g")
		}, nodetest.Timeout, 10*time.Millisecond, "the game is restarted")
		require.Equal(t, before.CurrentContainerID, n.Record("g").CurrentContainerID)
		intent, err := n.Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		require.Len(t, intent.Intent.Restarts, restart)
	}
	kill(t, n.Record("g").EngineEndpoint)
	require.Eventually(t, func() bool {
		found := n.Reconcile.Findings("g")
		return len(found) == 1 && found[0].Kind == drift.KindCrashLoop
	}, nodetest.Timeout, 10*time.Millisecond, "the crash loop is found")
	require.Equal(t, runtime.StatusStopped, statusOf(n, t, "g"))
}

func TestStoppedGameIsNotRestarted(t *testing.T) {
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
	require.Eventually(t, func() bool { return statusOf(n, t, "g") == runtime.StatusRemoved }, nodetest.Timeout, 10*time.Millisecond, "the record becomes removed")
}

// addContainer creates a container of the game without an operation.
func addContainer(t *testing.T, n *nodetest.Node, gameID string, generation int64, started bool) container.Container {
	t.Helper()
	c, err := n.Engine.Create(t.Context(), container.Spec{
		Name: "external-" + gameID, ContainerPort: 8080,
		Labels: container.Labels{
			Store: n.Store.ID(), GameID: gameID, Region: "eu", Node: "n1", Image: "gameserver:1.0.0", Generation: generation, OperationID: "external",
		},
	})
	require.NoError(t, err)
	if started {
		require.NoError(t, n.Engine.Start(t.Context(), c.ID))
	}
	return c
}

// A restart that fails while the engine shuts down costs no attempt of the crash policy.
func TestAttemptsDuringTheShutdownOfTheEngineDoNotCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	ctx := t.Context()
	_, err := f.node.Service.Execute(ctx, nodetest.StartOp("chess", *spec(images[0], 1)), nil)
	require.NoError(t, err)
	require.NoError(t, f.machine.Exit(f.live("chess")[0].ID, 143))
	require.NoError(t, f.pass(ctx))
	require.NoError(t, f.pass(ctx)) // a finding
	f.wait(2 * time.Second)
	f.machine.ExitOnStart(images[0], 128)
	require.NoError(t, f.pass(ctx))
	intent, err := f.node.Store.GetIntent(ctx, "chess")
	require.NoError(t, err)
	require.Len(t, intent.Intent.Restarts, 1)
	f.machine.RunOnStart(images[0])
	f.wait(time.Second)
	f.machine.Reboot(*f.now.Load())
	require.NoError(t, f.pass(ctx))
	require.Len(t, f.live("chess"), 1)
	intent, err = f.node.Store.GetIntent(ctx, "chess")
	require.NoError(t, err)
	require.Empty(t, intent.Intent.Restarts)
}

func TestOrphanIsAdoptedAfterTheStabilizationDelay(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{Reconcile: reconcile.Config{AdoptAfter: 300 * time.Millisecond}})
	c := addContainer(t, n, "orphan", 7, true)
	started, err := n.Engine.Inspect(t.Context(), c.ID)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		return healthprobe.New(0).Probe(t.Context(), operation.HealthTarget{URL: started.Endpoint + "/healthz"}) == nil
	}, nodetest.Timeout, 10*time.Millisecond, "the game is healthy before it is adopted")
	n.Run()
	require.Eventually(t, func() bool { return statusOf(n, t, "orphan") == runtime.StatusRunning }, nodetest.Timeout, 10*time.Millisecond, "the orphan is adopted")
	record := n.Record("orphan")
	require.Equal(t, c.ID, record.CurrentContainerID)
	require.Equal(t, int64(7), record.Generation)
	require.NoError(t, record.Validate())

	adopted, err := n.Store.GetIntent(t.Context(), "orphan")
	require.NoError(t, err)
	require.True(t, adopted.Intent.Spec.WithDefaults().HasHealthCheck(), "it passed the default health check")
	n.MustExecute(nodetest.Op(operation.KindRestart, "orphan"))
	n.MustExecute(nodetest.Op(operation.KindStop, "orphan"))
	n.MustExecute(nodetest.Op(operation.KindCleanup, "orphan"))
	addContainer(t, n, "orphan", 8, true)
	require.Eventually(t, func() bool { return len(n.Containers("orphan")) == 0 }, nodetest.Timeout, 10*time.Millisecond, "the container of a removed game is removed")
	require.Equal(t, runtime.StatusRemoved, statusOf(n, t, "orphan"), "a removed game is never adopted")
}

func TestDuplicateContainerIsRemoved(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	addContainer(t, n, "g", 0, true)
	require.Eventually(t, func() bool { return len(n.Containers("g")) == 1 }, nodetest.Timeout, 10*time.Millisecond, "the duplicate is removed")
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
	require.Eventually(t, func() bool { return n.Record("g").CurrentImageRef == "gameserver:1.0.0" }, nodetest.Timeout, 10*time.Millisecond, "the record is corrected")
}

// faultyEngine is an engine that can list no containers, or return errors.
type faultyEngine struct {
	ports.Engine
	empty, down atomic.Bool
}

func (e *faultyEngine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if e.down.Load() {
		return nil, container.ErrEngineUnavailable
	}
	if e.empty.Load() {
		return []container.Container{}, nil
	}
	return e.Engine.List(ctx, gameID)
}

func (e *faultyEngine) Inspect(ctx context.Context, id string) (container.Container, error) {
	if e.down.Load() {
		return container.Container{}, container.ErrEngineUnavailable
	}
	if e.empty.Load() {
		return container.Container{}, container.ErrNoContainer
	}
	return e.Engine.Inspect(ctx, id)
}

func newFaultyNode(t *testing.T) (*nodetest.Node, *faultyEngine) {
	t.Helper()
	engine := &faultyEngine{}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine },
		Reconcile:  reconcile.Config{Interval: 50 * time.Millisecond},
	})
	for _, gameID := range []string{"a", "b", "c"} {
		n.MustExecute(nodetest.StartOp(gameID, nodetest.GameSpec("1.0.0")))
	}
	return n, engine
}

// An engine error is not the absence of containers.
func TestUnknownNeverBecomesStopped(t *testing.T) {
	t.Parallel()
	n, engine := newFaultyNode(t)
	engine.down.Store(true)
	t.Cleanup(func() { engine.down.Store(false) })
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
	require.ErrorIs(t, err, container.ErrEngineUnavailable, "no operation starts that could not proceed")
	intent, err := n.Store.GetIntent(t.Context(), "a")
	require.NoError(t, err)
	require.Nil(t, intent.Intent.Current)
}

func TestEmptyListEngagesTheBrake(t *testing.T) {
	t.Parallel()
	n, engine := newFaultyNode(t)
	engine.empty.Store(true)
	t.Cleanup(func() { engine.empty.Store(false) })
	n.Run()
	require.Eventually(t, func() bool { return n.Reconcile.Brake() != nil }, nodetest.Timeout, 10*time.Millisecond, "the brake is engaged")
	report, err := n.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Len(t, report.Findings, 3)
	for _, f := range report.Findings {
		require.Equal(t, drift.KindMissing, f.Kind)
		require.Contains(t, f.BlockedBy, "the brake is engaged")
		require.Equal(t, runtime.StatusRunning, statusOf(n, t, f.GameID))
	}
	require.Contains(t, report.Brakes[0].Reason, "3 games while 3 games are running")
	for _, result := range n.Reconcile.Apply(t.Context(), report.Findings, "") {
		require.Equal(t, drift.ApplyBlocked, result.Status)
	}

	require.NoError(t, n.Reconcile.ReleaseBrake())
	require.Eventually(t, func() bool {
		return !strings.Contains(string(statusOf(n, t, "a")+statusOf(n, t, "b")+statusOf(n, t, "c")), "running")
	}, nodetest.Timeout, 10*time.Millisecond, "the blocked actions are carried out")
	require.ErrorIs(t, n.Reconcile.ReleaseBrake(), operation.ErrRejected)
}

func TestStaleFindingChangesNothing(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	kill(t, n.Record("g").EngineEndpoint)
	var report drift.Report
	require.Eventually(t, func() bool {
		var err error
		report, err = n.Reconcile.Report(t.Context())
		assert.NoError(t, err)
		return len(report.Findings) == 1
	}, nodetest.Timeout, 10*time.Millisecond, "the exit is found")
	n.MustExecute(nodetest.Op(operation.KindRestart, "g"))
	results := n.Reconcile.Apply(t.Context(), report.Findings, "")
	require.Equal(t, drift.ApplyStale, results[0].Status)
	require.Equal(t, runtime.StatusRunning, statusOf(n, t, "g"))
}

// The actor of Apply is the actor in the ledger.
func TestAppliedFindingNamesItsActor(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	require.NoError(t, f.machine.Exit(f.node.Record("g").CurrentContainerID, 1))
	report, err := f.node.Reconcile.Report(t.Context())
	require.NoError(t, err)
	require.Equal(t, drift.ApplyDone, f.node.Reconcile.Apply(t.Context(), report.Findings, "ada")[0].Status)
	history, err := f.node.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, "ada", history[0].Actor)
}

func TestHungGameIsRestartedByItsPolicy(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for probes to time out")
	}
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.Run()
	spec := nodetest.GameSpec("1.0.0")
	spec.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	n.MustExecute(nodetest.StartOp("g", spec))
	before := n.Record("g")
	nodetest.PostToGame(t, before.EngineEndpoint, "/hang")
	require.Eventually(t, func() bool {
		after := n.Record("g")
		return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt)
	}, nodetest.Timeout, 10*time.Millisecond, "the game is restarted")
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Contains(t, history[0].Reason, "health check")
}

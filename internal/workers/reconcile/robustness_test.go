package reconcile_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// changingEngine calls onList once, before it lists the containers of all games.
type changingEngine struct {
	ports.Engine
	onList func()
}

func (e *changingEngine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if e.onList != nil && gameID == "" {
		e.onList()
		e.onList = nil
	}
	return e.Engine.List(ctx, gameID)
}

// A pass reads records before containers. It finds a record and no container of a game
// that is cleaned up in between.
func TestCleanupsDuringAPassDoNotEngageTheBrake(t *testing.T) {
	t.Parallel()
	engine := &changingEngine{}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { engine.Engine = base; return engine })
	gameIDs := []string{"a", "b", "c"}
	for _, gameID := range gameIDs {
		require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(images[0], 0)}))
		require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStop}))
	}
	engine.onList = func() {
		for _, gameID := range gameIDs {
			require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindCleanup}))
		}
	}
	require.NoError(t, f.pass(t.Context()))
	require.Nil(t, f.node.Reconcile.Brake())
}

// The removal of a container that hangs is retried in the next pass.
func TestRemovalOfAHangingContainerIsRetried(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the retry timeout")
	}
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	require.NoError(t, f.addContainer(t.Context(), "g", 0, container.StateRunning))
	duplicate := f.containers("g")[1]
	f.machine.Hang(duplicate.ID, true)
	require.ErrorIs(t, f.pass(t.Context()), container.ErrEngineUnavailable)
	require.Len(t, f.containers("g"), 2)
	f.machine.Hang(duplicate.ID, false)
	require.NoError(t, f.pass(t.Context()))
	require.Len(t, f.containers("g"), 1)
}

// countingEngine counts the observations of single games.
type countingEngine struct {
	ports.Engine
	lists atomic.Int64
}

func (e *countingEngine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if gameID != "" {
		e.lists.Add(1)
	}
	return e.Engine.List(ctx, gameID)
}

// A blocked action waits for the next pass; its game is not observed repeatedly.
func TestBlockedActionsAreNotRetriedInALoop(t *testing.T) {
	t.Parallel()
	engine := &countingEngine{}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { engine.Engine = base; return engine })
	for _, gameID := range []string{"a", "b", "c"} {
		require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	}
	require.NoError(t, f.pass(t.Context())) // otherwise the ends of the starts are handled before the first pass
	for _, gameID := range []string{"a", "b", "c"} {
		require.NoError(t, f.addContainer(t.Context(), gameID, 9, container.StateExited))
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- f.node.Reconcile.Run(ctx) }()
	require.Eventually(t, func() bool { return f.node.Reconcile.Brake() != nil }, nodetest.Timeout, time.Millisecond, "the brake is engaged")
	before := engine.lists.Load()
	select {
	case err := <-done:
		require.NoError(t, err)
		require.Fail(t, "the worker has ended")
	case <-time.After(time.Second):
	}
	require.Less(t, engine.lists.Load()-before, int64(50), "observations of three games within a second")
	cancel()
	require.NoError(t, <-done)
}

// A container that hangs does not prevent the removal of the game's other containers.
func TestHangingContainerDoesNotBlockItsSiblings(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for the retry timeout")
	}
	t.Parallel()
	f := newFixture(t)
	require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	for range 3 {
		require.NoError(t, f.addContainer(t.Context(), "g", 0, container.StateRunning))
	}
	hanging := f.containers("g")[2]
	f.machine.Hang(hanging.ID, true)
	require.ErrorIs(t, f.pass(t.Context()), container.ErrEngineUnavailable)
	live := f.live("g")
	require.Len(t, live, 2)
	require.Equal(t, hanging.ID, live[1].ID)
}

// hangingEngine hangs in Start and Stop of some containers, until release is closed.
type hangingEngine struct {
	ports.Engine
	containers sync.Map // ids
	hanging    atomic.Int64
	release    chan struct{}
}

func (e *hangingEngine) hang(id string) {
	if _, found := e.containers.Load(id); found {
		e.hanging.Add(1)
		<-e.release
	}
}

func (e *hangingEngine) Start(ctx context.Context, id string) error {
	e.hang(id)
	return e.Engine.Start(ctx, id)
}

func (e *hangingEngine) Stop(ctx context.Context, id string, grace time.Duration) error {
	e.hang(id)
	return e.Engine.Stop(ctx, id, grace)
}

// More hanging containers than workers delay no other game.
func TestHangingContainersDelayNoOtherGame(t *testing.T) {
	t.Parallel()
	engine := &hangingEngine{release: make(chan struct{})}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { engine.Engine = base; return engine })
	const hanging = 10
	for i := range 3 * hanging { // few enough of them to leave the brake disengaged
		gameID := fmt.Sprint("g", i)
		require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(images[0], 0)}))
		if i < hanging {
			require.NoError(t, f.addContainer(t.Context(), gameID, 0, container.StateRunning))
			engine.containers.Store(f.live(gameID)[1].ID, true)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	errc := make(chan error, 1)
	go func() { errc <- f.node.Reconcile.Run(ctx) }()
	defer func() {
		cancel()
		close(engine.release)
		require.NoError(t, <-errc)
	}()
	require.Eventually(t, func() bool { return engine.hanging.Load() > 0 }, nodetest.Timeout, 10*time.Millisecond, "removals hang")

	const last = "g29"
	require.NoError(t, f.machine.Exit(f.live(last)[0].ID, 1))
	f.node.Queue.TriggerFullReconcile()
	require.Eventually(t, func() bool {
		record, _, err := f.record(t.Context(), last)
		return err == nil && record.Status == runtime.StatusStopped
	}, nodetest.Timeout, 10*time.Millisecond, "the exit of another game is recorded")
	require.Len(t, f.live("g0"), 2, "its removal still hangs")
}

// A pass reports an operation of this daemon that hangs in the engine past its deadline.
func TestOverdueOperationIsAFinding(t *testing.T) {
	t.Parallel()
	engine := &hangingEngine{release: make(chan struct{})}
	f := newFixtureWith(t, func(base ports.Engine) ports.Engine { engine.Engine = base; return engine })
	require.NoError(t, f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(images[0], 0)}))
	engine.containers.Store(f.live("g")[0].ID, true)
	stopped := make(chan error, 1)
	go func() {
		stopped <- f.execute(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStop})
	}()
	release := sync.OnceFunc(func() { close(engine.release) })
	defer release()
	require.Eventually(t, func() bool { return engine.hanging.Load() > 0 }, nodetest.Timeout, time.Millisecond, "the stop hangs")

	require.NoError(t, f.pass(t.Context()))
	require.Empty(t, f.node.Reconcile.Findings("g"), "before the deadline")
	f.wait(time.Hour)
	require.NoError(t, f.pass(t.Context()))
	findings := f.node.Reconcile.Findings("g")
	require.Len(t, findings, 1)
	require.Equal(t, drift.KindOperationOverdue, findings[0].Kind)

	release()
	<-stopped // with or without an error: the operation is past its deadline
	require.NoError(t, f.pass(t.Context()))
	for _, finding := range f.node.Reconcile.Findings("g") {
		require.NotEqual(t, drift.KindOperationOverdue, finding.Kind)
	}
}

// A start that hangs delays no other start, although there is only one start worker.
func TestSlowStartDelaysNoOtherStart(t *testing.T) {
	t.Parallel()
	engine := &hangingEngine{release: make(chan struct{})}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine },
		Reconcile:  reconcile.Config{Interval: 100 * time.Millisecond, Starters: 1, StartWait: 50 * time.Millisecond},
	})
	crashing := nodetest.GameSpec("1.0.0")
	crashing.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	for _, gameID := range []string{"slow", "other"} {
		n.MustExecute(nodetest.StartOp(gameID, crashing))
	}
	before := n.Record("other")
	engine.containers.Store(n.Record("slow").CurrentContainerID, true)
	n.Run()
	t.Cleanup(func() { close(engine.release) }) // before the workers end
	kill(t, n.Record("slow").EngineEndpoint)
	require.Eventually(t, func() bool { return engine.hanging.Load() > 0 }, nodetest.Timeout, 10*time.Millisecond, "the start hangs")

	kill(t, before.EngineEndpoint)
	require.Eventually(t, func() bool {
		after := n.Record("other")
		return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt)
	}, nodetest.Timeout, 10*time.Millisecond, "the other game is restarted")
	require.True(t, n.Service.HasActive("slow"))
}

// The number of starts that hang is limited.
func TestSlowStartsAreLimited(t *testing.T) {
	t.Parallel()
	engine := &hangingEngine{release: make(chan struct{})}
	const limit, count = 2, 8
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine },
		Reconcile:  reconcile.Config{Interval: 100 * time.Millisecond, Starters: 1, StartWait: 20 * time.Millisecond, MaxBackgroundStarts: limit},
	})
	crashing := nodetest.GameSpec("1.0.0")
	crashing.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	for i := range count {
		gameID := fmt.Sprint("g", i)
		n.MustExecute(nodetest.StartOp(gameID, crashing))
		engine.containers.Store(n.Record(gameID).CurrentContainerID, true)
	}
	n.Run()
	release := sync.OnceFunc(func() { close(engine.release) })
	t.Cleanup(release) // before the workers end
	for i := range count {
		kill(t, n.Record(fmt.Sprint("g", i)).EngineEndpoint)
	}
	require.Eventually(t, func() bool {
		found := 0
		for i := range count {
			found += len(n.Reconcile.Findings(fmt.Sprint("g", i)))
		}
		return engine.hanging.Load() == limit && found >= count-limit
	}, nodetest.Timeout, 10*time.Millisecond, "all crashes are found")
	for range 20 {
		_, err := n.Reconcile.Pass(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, limit, engine.hanging.Load(), "hanging starts")
	}
	release()
	require.Eventually(t, func() bool {
		for i := range count {
			if statusOf(n, t, fmt.Sprint("g", i)) != runtime.StatusRunning {
				return false
			}
		}
		return true
	}, nodetest.Timeout, 10*time.Millisecond, "all games are restarted")
}

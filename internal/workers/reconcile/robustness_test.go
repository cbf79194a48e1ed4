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
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// busy is an engine on which games are cleaned up while a pass lists its containers.
type busy struct {
	ports.Engine
	meanwhile func()
}

func (b *busy) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if b.meanwhile != nil && gameID == "" {
		b.meanwhile()
		b.meanwhile = nil
	}
	return b.Engine.List(ctx, gameID)
}

// Records are read before containers are: games that are cleaned up in between look
// as if all of them were gone.
func TestCleanupsDuringAPassDoNotPutTheBrakeOn(t *testing.T) {
	t.Parallel()
	engine := &busy{}
	s := newStageBehind(t, func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine })
	going := []string{"a", "b", "c"}
	for _, gameID := range going {
		require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(games[0], 0)}))
		require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStop}))
	}
	engine.meanwhile = func() {
		for _, gameID := range going {
			require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindCleanup}))
		}
	}
	require.NoError(t, s.pass(t.Context()))
	require.Nil(t, s.node.Reconcile.Brake())
}

// A container that does not let itself be removed is given up for now, and tried
// again in the next pass.
func TestWedgedContainerIsTriedAgainLater(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(games[0], 0)}))
	require.NoError(t, s.plant(t.Context(), "g", 0, container.StateRunning))
	twin := s.containers("g")[1]
	s.machine.Hang(twin.ID, true)
	require.ErrorIs(t, s.pass(t.Context()), container.ErrEngineUnavailable)
	require.Len(t, s.containers("g"), 2)
	s.machine.Hang(twin.ID, false)
	require.NoError(t, s.pass(t.Context()))
	require.Len(t, s.containers("g"), 1)
}

// counting counts the looks at single games.
type counting struct {
	ports.Engine
	looks atomic.Int64
}

func (c *counting) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if gameID != "" {
		c.looks.Add(1)
	}
	return c.Engine.List(ctx, gameID)
}

// What the brake holds back is not looked at over and over: it waits for the next pass.
func TestBrakeDoesNotKeepTheWorkerBusy(t *testing.T) {
	t.Parallel()
	engine := &counting{}
	s := newStageBehind(t, func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine })
	for _, gameID := range []string{"a", "b", "c"} {
		require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(games[0], 0)}))
		require.NoError(t, s.plant(t.Context(), gameID, 9, container.StateExited))
	}
	before := engine.looks.Load()
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	require.NoError(t, s.node.Reconcile.Run(ctx))
	require.NotNil(t, s.node.Reconcile.Brake())
	require.Less(t, engine.looks.Load()-before, int64(50), "looks within a second, of three games")
}

// Of several containers that are to go, one that is wedged does not keep the others.
func TestWedgedContainerDoesNotKeepItsSiblings(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: "g", Kind: operation.KindStart, Spec: spec(games[0], 0)}))
	for range 3 {
		require.NoError(t, s.plant(t.Context(), "g", 0, container.StateRunning))
	}
	wedged := s.containers("g")[2]
	s.machine.Hang(wedged.ID, true)
	require.ErrorIs(t, s.pass(t.Context()), container.ErrEngineUnavailable)
	left := s.live("g")
	require.Len(t, left, 2)
	require.Equal(t, wedged.ID, left[1].ID)
}

// stuck is an engine that comes to no end with some containers before the test has.
type stuck struct {
	ports.Engine
	with    sync.Map // ids
	hanging atomic.Int64
	end     chan struct{}
}

func (s *stuck) hang(id string) {
	if _, found := s.with.Load(id); found {
		s.hanging.Add(1)
		<-s.end
	}
}

func (s *stuck) Start(ctx context.Context, id string) error {
	s.hang(id)
	return s.Engine.Start(ctx, id)
}

func (s *stuck) Stop(ctx context.Context, id string, grace time.Duration) error {
	s.hang(id)
	return s.Engine.Stop(ctx, id, grace)
}

// As many wedged containers as there are workers for anything hold up no other game.
func TestWedgedContainersHoldUpNobody(t *testing.T) {
	t.Parallel()
	engine := &stuck{end: make(chan struct{})}
	s := newStageBehind(t, func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine })
	const wedged = 10
	for i := range 3 * wedged { // enough for the brake to see no mass death
		gameID := fmt.Sprint("g", i)
		require.NoError(t, s.operate(t.Context(), ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: spec(games[0], 0)}))
		if i < wedged {
			require.NoError(t, s.plant(t.Context(), gameID, 0, container.StateRunning))
			engine.with.Store(s.live(gameID)[1].ID, true)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.node.Reconcile.Run(ctx) }()
	defer func() {
		cancel()
		close(engine.end)
		require.NoError(t, <-ended)
	}()
	eventually(t, "removals hang", func() bool { return engine.hanging.Load() > 0 })

	const last = "g29"
	require.NoError(t, s.machine.Exit(s.live(last)[0].ID, 1))
	s.node.Reconcile.TriggerFullReconcile()
	eventually(t, "the death of another game is recorded", func() bool {
		record, _, err := s.record(t.Context(), last)
		return err == nil && record.Status == runtime.StatusStopped
	})
	require.Len(t, s.live("g0"), 2, "the wedged one still hangs")
}

// A game that takes for ever to start holds up no other start, though there is only one
// worker for that.
func TestSlowStartHoldsUpNobody(t *testing.T) {
	t.Parallel()
	engine := &stuck{end: make(chan struct{})}
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine },
		Reconcile:  reconcile.Config{Interval: 100 * time.Millisecond, Starters: 1, StartWait: 50 * time.Millisecond},
	})
	crashing := nodetest.GameSpec("1.0.0")
	crashing.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	for _, gameID := range []string{"slow", "other"} {
		n.MustExecute(nodetest.StartOp(gameID, crashing))
	}
	before := n.Record("other")
	engine.with.Store(n.Record("slow").CurrentContainerID, true)
	n.Run()
	t.Cleanup(func() { close(engine.end) }) // before the workers end
	kill(t, n.Record("slow").EngineEndpoint)
	eventually(t, "the start hangs", func() bool { return engine.hanging.Load() > 0 })

	kill(t, before.EngineEndpoint)
	eventually(t, "the other game runs again", func() bool {
		after := n.Record("other")
		return after.Status == runtime.StatusRunning && after.StartedAt.After(*before.StartedAt)
	})
	require.True(t, n.Service.HasActive("slow"))
}

// Starts that take for ever are not begun without end.
func TestSlowStartsAreNotTooMany(t *testing.T) {
	t.Parallel()
	engine := &stuck{end: make(chan struct{})}
	const most, count = 2, 8
	n := nodetest.New(t, nodetest.Config{
		WrapEngine: func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine },
		Reconcile:  reconcile.Config{Interval: 100 * time.Millisecond, Starters: 1, StartWait: 20 * time.Millisecond, MaxBackgroundStarts: most},
	})
	crashing := nodetest.GameSpec("1.0.0")
	crashing.Crash = operation.CrashPolicy{Attempts: 1, Delay: operation.Duration(time.Millisecond)}
	for i := range count {
		gameID := fmt.Sprint("g", i)
		n.MustExecute(nodetest.StartOp(gameID, crashing))
		engine.with.Store(n.Record(gameID).CurrentContainerID, true)
	}
	n.Run()
	release := sync.OnceFunc(func() { close(engine.end) })
	t.Cleanup(release) // before the workers end
	for i := range count {
		kill(t, n.Record(fmt.Sprint("g", i)).EngineEndpoint)
	}
	eventually(t, "all are found crashed", func() bool {
		found := 0
		for i := range count {
			found += len(n.Reconcile.Findings(fmt.Sprint("g", i)))
		}
		return engine.hanging.Load() == most && found >= count-most
	})
	for range 20 {
		_, err := n.Reconcile.Pass(t.Context())
		require.NoError(t, err)
		require.EqualValues(t, most, engine.hanging.Load(), "starts that hang")
	}
	release()
	eventually(t, "all run again", func() bool {
		for i := range count {
			if statusOf(n, t, fmt.Sprint("g", i)) != runtime.StatusRunning {
				return false
			}
		}
		return true
	})
}

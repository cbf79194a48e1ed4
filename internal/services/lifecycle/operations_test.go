package lifecycle_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestLifeOfAGame(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	started := r.MustExecute(nodetest.StartOp("chess/1", nodetest.GameSpec("1.0.0")))
	record := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, record.Status)
	require.Equal(t, int64(1), record.Generation)
	require.Equal(t, "gameserver:1.0.0", record.CurrentImageRef)
	require.NotEmpty(t, record.EngineEndpoint)
	require.NoError(t, record.Validate())
	require.Equal(t, record, *started.Record)

	r.MustExecute(nodetest.Op(operation.KindStop, "chess/1"))
	require.Equal(t, runtime.StatusStopped, r.Record("chess/1").Status)
	r.MustExecute(nodetest.Op(operation.KindStop, "chess/1")) // is stopped already

	r.MustExecute(nodetest.Op(operation.KindStart, "chess/1"))
	resumed := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, resumed.Status)
	require.Equal(t, record.CurrentContainerID, resumed.CurrentContainerID, "the same container resumes")

	r.MustExecute(nodetest.Op(operation.KindRestart, "chess/1"))
	require.Equal(t, record.CurrentContainerID, r.Record("chess/1").CurrentContainerID)

	r.MustExecute(ports.OperationRequest{GameID: "chess/1", Kind: operation.KindPatch, Image: "gameserver:1.0.1"})
	patched := r.Record("chess/1")
	require.Equal(t, "gameserver:1.0.1", patched.CurrentImageRef)
	require.Equal(t, int64(2), patched.Generation)
	require.NotEqual(t, record.CurrentContainerID, patched.CurrentContainerID)
	require.Len(t, r.Containers("chess/1"), 1, "the old container goes")

	_, err := r.Execute(nodetest.Op(operation.KindCleanup, "chess/1"))
	require.ErrorIs(t, err, operation.ErrRefused)
	r.MustExecute(nodetest.Op(operation.KindStop, "chess/1"))
	r.MustExecute(nodetest.Op(operation.KindCleanup, "chess/1"))
	require.Equal(t, runtime.StatusRemoved, r.Record("chess/1").Status)
	require.Empty(t, r.Containers("chess/1"))

	r.MustExecute(nodetest.Op(operation.KindStart, "chess/1"))
	again := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, again.Status)
	require.Equal(t, int64(3), again.Generation, "a removed game comes back as the next generation")
	require.Equal(t, "gameserver:1.0.1", again.CurrentImageRef, "as what it ran before")
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	outcome, err := r.Execute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--exit-at-start", "3")))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "exited with code 3")
	require.Equal(t, operation.FailureStart, outcome.Failure.Code)
	require.Empty(t, r.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, r.Record("g").Status)

	_, err = r.Execute(nodetest.StartOp("h", nodetest.GameSpec("9.9.9")))
	require.ErrorIs(t, err, container.ErrNoImage)
	_, err = r.Store.Get(t.Context(), "h")
	require.ErrorIs(t, err, runtime.ErrNotFound, "no record was ever written")
}

// shaky is an engine that fails to start a container once, and after that to list once.
type shaky struct {
	ports.Engine
	start, list atomic.Bool
}

func (e *shaky) Start(ctx context.Context, id string) error {
	if e.start.CompareAndSwap(true, false) {
		e.list.Store(true)
		return operation.ErrStartFailed
	}
	return e.Engine.Start(ctx, id)
}

func (e *shaky) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if e.list.CompareAndSwap(true, false) {
		return nil, container.ErrEngineUnavailable
	}
	return e.Engine.List(ctx, gameID)
}

// A roll back that the engine does not answer at first brings the game back all the same.
func TestRollBackIsTriedAgain(t *testing.T) {
	t.Parallel()
	engine := &shaky{}
	r := nodetest.New(t, nodetest.Config{WrapEngine: func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine }})
	r.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	engine.start.Store(true)
	_, err := r.Execute(nodetest.Op(operation.KindRestart, "g"))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.False(t, engine.list.Load())
	require.Equal(t, runtime.StatusRunning, r.Record("g").Status)
	require.Equal(t, container.StateRunning, r.Containers("g")[0].State)
}

// A container that somebody started behind the record's back is stopped and restarted
// like any other.
func TestContainerThatRunsAgainstItsRecord(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	r.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	containerID := r.Record("g").CurrentContainerID
	r.MustExecute(nodetest.Op(operation.KindStop, "g"))

	require.NoError(t, r.Engine.Start(t.Context(), containerID))
	r.MustExecute(nodetest.Op(operation.KindStop, "g"))
	require.Equal(t, container.StateExited, r.Containers("g")[0].State)

	require.NoError(t, r.Engine.Start(t.Context(), containerID))
	before := r.Containers("g")[0].StartedAt
	r.MustExecute(nodetest.Op(operation.KindRestart, "g"))
	require.True(t, r.Containers("g")[0].StartedAt.After(*before), "it has been started anew")
	require.Equal(t, runtime.StatusRunning, r.Record("g").Status)
}

// moving is an engine that publishes a game at another port each time it starts, as
// Docker does.
type moving struct {
	ports.Engine
	starts atomic.Int64
}

func (e *moving) Start(ctx context.Context, id string) error {
	e.starts.Add(1)
	return e.Engine.Start(ctx, id)
}

func (e *moving) Inspect(ctx context.Context, id string) (container.Container, error) {
	c, err := e.Engine.Inspect(ctx, id)
	if c.Endpoint != "" {
		c.Endpoint = fmt.Sprintf("http://192.0.2.1:%d", e.starts.Load())
	}
	return c, err
}

// No record of a running game names where it was reached before, not for a moment.
func TestEndpointMovesWithTheStatus(t *testing.T) {
	t.Parallel()
	engine := &moving{}
	r := nodetest.New(t, nodetest.Config{WrapEngine: func(truthful ports.Engine) ports.Engine { engine.Engine = truthful; return engine }})
	spec := nodetest.GameSpec("1.0.0")
	spec.HealthPath = operation.NoHealthCheck
	r.MustExecute(nodetest.StartOp("g", spec))
	for range 2 {
		r.MustExecute(nodetest.Op(operation.KindRestart, "g"))
		require.Equal(t, fmt.Sprintf("http://192.0.2.1:%d", engine.starts.Load()), r.Record("g").EngineEndpoint)
	}
	history, err := r.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, history, 5, "the start, and a stop and a start for each restart: %+v", history)
}

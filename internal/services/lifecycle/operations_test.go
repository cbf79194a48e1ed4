package lifecycle_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestLifeOfAGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	started := n.MustExecute(nodetest.StartOp("chess/1", nodetest.GameSpec("1.0.0")))
	record := n.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, record.Status)
	require.Equal(t, int64(1), record.Generation)
	require.Equal(t, "gameserver:1.0.0", record.CurrentImageRef)
	require.NotEmpty(t, record.EngineEndpoint)
	require.NoError(t, record.Validate())
	require.Equal(t, "start", record.Operation.Kind, "the record is written while the operation is in progress")
	require.True(t, started.Record.IsReady())
	record = record.WithCondition(started.Record.Condition) // which the reconcile worker writes next
	require.Equal(t, record, *started.Record)

	n.MustExecute(nodetest.Op(operation.KindStop, "chess/1"))
	require.Equal(t, runtime.StatusStopped, n.Record("chess/1").Status)
	n.MustExecute(nodetest.Op(operation.KindStop, "chess/1")) // a stopped game stays stopped

	n.MustExecute(nodetest.Op(operation.KindStart, "chess/1"))
	resumed := n.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, resumed.Status)
	require.Equal(t, record.CurrentContainerID, resumed.CurrentContainerID, "the same container resumes")

	n.MustExecute(nodetest.Op(operation.KindRestart, "chess/1"))
	require.Equal(t, record.CurrentContainerID, n.Record("chess/1").CurrentContainerID)

	n.MustExecute(ports.OperationRequest{GameID: "chess/1", Kind: operation.KindPatch, Image: "gameserver:1.0.1"})
	patched := n.Record("chess/1")
	require.Equal(t, "gameserver:1.0.1", patched.CurrentImageRef)
	require.Equal(t, int64(2), patched.Generation)
	require.NotEqual(t, record.CurrentContainerID, patched.CurrentContainerID)
	require.Len(t, n.Containers("chess/1"), 1, "the old container is removed")

	_, err := n.Execute(nodetest.Op(operation.KindCleanup, "chess/1"))
	require.ErrorIs(t, err, operation.ErrRejected)
	n.MustExecute(nodetest.Op(operation.KindStop, "chess/1"))
	n.MustExecute(nodetest.Op(operation.KindCleanup, "chess/1"))
	require.Equal(t, runtime.StatusRemoved, n.Record("chess/1").Status)
	require.Empty(t, n.Containers("chess/1"))

	n.MustExecute(nodetest.Op(operation.KindStart, "chess/1"))
	restarted := n.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, restarted.Status)
	require.Equal(t, int64(3), restarted.Generation, "the generation increases")
	require.Equal(t, "gameserver:1.0.1", restarted.CurrentImageRef, "the image of the last run")
}

// A patch to the same reference replaces the container if the reference names another content
// now, and otherwise only by force.
func TestPatchToTheSameReference(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	path := filepath.Join(nodetest.ImagesDir, "changing", "latest")
	require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
	replaceImage := func(suffix string) {
		program, err := os.ReadFile(filepath.Join(nodetest.ImagesDir, "gameserver", "1.0.0"))
		require.NoError(t, err)
		require.NoError(t, atomicfile.Write(path, append(program, suffix...))) // the loader ignores the suffix
		require.NoError(t, os.Chmod(path, 0o755))                              //nolint:gosec // a program
	}
	patch := ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "changing:latest"}
	replaceImage("")
	spec := nodetest.GameSpec("1.0.0")
	spec.Image = "changing:latest"
	n.MustExecute(nodetest.StartOp("g", spec))
	first := n.Record("g")
	require.NotEmpty(t, first.ImageDigest)

	require.True(t, n.MustExecute(patch).Unchanged)
	require.Equal(t, first.CurrentContainerID, n.Record("g").CurrentContainerID)

	replaceImage("other content")
	require.False(t, n.MustExecute(patch).Unchanged)
	second := n.Record("g")
	require.NotEqual(t, first.ImageDigest, second.ImageDigest)
	require.Equal(t, int64(2), second.Generation)

	patch.Force = true
	require.False(t, n.MustExecute(patch).Unchanged)
	third := n.Record("g")
	require.Equal(t, second.ImageDigest, third.ImageDigest)
	require.Equal(t, int64(3), third.Generation)
	require.Len(t, n.Containers("g"), 1)
}

// The game of TestFailedStartIsRolledBack exits after its record is running: without a
// record there would be nothing to set to removed.
func TestFailedStartIsRolledBack(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	outcome, err := n.Execute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--exit-at-start", "3", "--exit-after", "1s")))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "exited with code 3")
	require.Equal(t, operation.FailureStart, outcome.Failure.Code)
	require.Empty(t, n.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, n.Record("g").Status)

	_, err = n.Execute(nodetest.StartOp("h", nodetest.GameSpec("9.9.9")))
	require.ErrorIs(t, err, container.ErrNoImage)
	_, err = n.Store.Get(t.Context(), "h")
	require.ErrorIs(t, err, runtime.ErrNotFound, "no record was ever written")
}

// flakyEngine fails the next Start once, and then the next List once.
type flakyEngine struct {
	ports.Engine
	failStart, failList atomic.Bool
}

func (e *flakyEngine) Start(ctx context.Context, id string) error {
	if e.failStart.CompareAndSwap(true, false) {
		e.failList.Store(true)
		return operation.ErrStartFailed
	}
	return e.Engine.Start(ctx, id)
}

func (e *flakyEngine) List(ctx context.Context, gameID string) ([]container.Container, error) {
	if e.failList.CompareAndSwap(true, false) {
		return nil, container.ErrEngineUnavailable
	}
	return e.Engine.List(ctx, gameID)
}

// A rollback is retried when the engine is unavailable.
func TestRollbackIsRetried(t *testing.T) {
	t.Parallel()
	engine := &flakyEngine{}
	n := nodetest.New(t, nodetest.Config{WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine }})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	engine.failStart.Store(true)
	_, err := n.Execute(nodetest.Op(operation.KindRestart, "g"))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.False(t, engine.failList.Load())
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State)
}

// A container that was started by hand while its record is stopped can be stopped and
// restarted.
func TestRunningContainerOfAStoppedRecord(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	containerID := n.Record("g").CurrentContainerID
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))

	require.NoError(t, n.Engine.Start(t.Context(), containerID))
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	require.Equal(t, container.StateExited, n.Containers("g")[0].State)

	require.NoError(t, n.Engine.Start(t.Context(), containerID))
	before := n.Containers("g")[0].StartedAt
	n.MustExecute(nodetest.Op(operation.KindRestart, "g"))
	require.True(t, n.Containers("g")[0].StartedAt.After(*before), "it has been restarted")
	require.Equal(t, runtime.StatusRunning, n.Record("g").Status)
}

// movingEngine assigns another endpoint at each start, as Docker does.
type movingEngine struct {
	ports.Engine
	starts atomic.Int64
}

func (e *movingEngine) Start(ctx context.Context, id string) error {
	e.starts.Add(1)
	return e.Engine.Start(ctx, id)
}

func (e *movingEngine) Inspect(ctx context.Context, id string) (container.Container, error) {
	c, err := e.Engine.Inspect(ctx, id)
	if c.Endpoint != "" {
		c.Endpoint = fmt.Sprintf("http://192.0.2.1:%d", e.starts.Load())
	}
	return c, err
}

// No running record names an old endpoint, not even briefly.
func TestEndpointChangesWithTheStatus(t *testing.T) {
	t.Parallel()
	engine := &movingEngine{}
	n := nodetest.New(t, nodetest.Config{WrapEngine: func(base ports.Engine) ports.Engine { engine.Engine = base; return engine }})
	spec := nodetest.GameSpec("1.0.0")
	spec.HealthPath = operation.NoHealthCheck
	n.MustExecute(nodetest.StartOp("g", spec))
	for range 2 {
		n.MustExecute(nodetest.Op(operation.KindRestart, "g"))
		require.Equal(t, fmt.Sprintf("http://192.0.2.1:%d", engine.starts.Load()), n.Record("g").EngineEndpoint)
	}
	history, err := n.Store.History(t.Context(), "g")
	require.NoError(t, err)
	require.Len(t, history, 5, "the start, and a stop and a start for each restart: %+v", history)
}

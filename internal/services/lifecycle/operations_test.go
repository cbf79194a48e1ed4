package lifecycle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/nodetest"
	"galaxy/rtmanager/internal/ports"
)

func TestLifeOfAGame(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	started := r.Do(nodetest.Start("chess/1", nodetest.Game("1.0.0")))
	record := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, record.Status)
	require.Equal(t, int64(1), record.Generation)
	require.Equal(t, "gameserver:1.0.0", record.CurrentImageRef)
	require.NotEmpty(t, record.EngineEndpoint)
	require.NoError(t, record.Validate())
	require.Equal(t, record, *started.Record)

	r.Do(nodetest.The(operation.Stop, "chess/1"))
	require.Equal(t, runtime.StatusStopped, r.Record("chess/1").Status)
	r.Do(nodetest.The(operation.Stop, "chess/1")) // is stopped already

	r.Do(nodetest.The(operation.Start, "chess/1"))
	resumed := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, resumed.Status)
	require.Equal(t, record.CurrentContainerID, resumed.CurrentContainerID, "the same container resumes")

	r.Do(nodetest.The(operation.Restart, "chess/1"))
	require.Equal(t, record.CurrentContainerID, r.Record("chess/1").CurrentContainerID)

	r.Do(ports.OperationRequest{GameID: "chess/1", Kind: operation.Patch, Image: "gameserver:1.0.1"})
	patched := r.Record("chess/1")
	require.Equal(t, "gameserver:1.0.1", patched.CurrentImageRef)
	require.Equal(t, int64(2), patched.Generation)
	require.NotEqual(t, record.CurrentContainerID, patched.CurrentContainerID)
	require.Len(t, r.Containers("chess/1"), 1, "the old container goes")

	_, err := r.Try(nodetest.The(operation.Cleanup, "chess/1"))
	require.ErrorIs(t, err, runtime.ErrRefused)
	r.Do(nodetest.The(operation.Stop, "chess/1"))
	r.Do(nodetest.The(operation.Cleanup, "chess/1"))
	require.Equal(t, runtime.StatusRemoved, r.Record("chess/1").Status)
	require.Empty(t, r.Containers("chess/1"))

	r.Do(nodetest.The(operation.Start, "chess/1"))
	again := r.Record("chess/1")
	require.Equal(t, runtime.StatusRunning, again.Status)
	require.Equal(t, int64(3), again.Generation, "a removed game comes back as the next generation")
	require.Equal(t, "gameserver:1.0.1", again.CurrentImageRef, "as what it ran before")
}

func TestStartThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	outcome, err := r.Try(nodetest.Start("g", nodetest.Game("1.0.0", "--exit-at-start", "3")))
	require.ErrorIs(t, err, runtime.ErrStartFailed)
	require.ErrorContains(t, err, "exited with code 3")
	require.Equal(t, operation.FailedStart, outcome.Failure.Code)
	require.Empty(t, r.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, r.Record("g").Status)

	_, err = r.Try(nodetest.Start("h", nodetest.Game("9.9.9")))
	require.ErrorIs(t, err, runtime.ErrNoImage)
	_, err = r.Store.Get(t.Context(), "h")
	require.ErrorIs(t, err, runtime.ErrNotFound, "no record was ever written")
}

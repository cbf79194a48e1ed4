package lifecycle_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestOperationOnAnUnknownGame(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	for _, request := range []ports.OperationRequest{
		nodetest.Op(operation.KindStop, "nobody"), nodetest.Op(operation.KindRestart, "nobody"), nodetest.Op(operation.KindCleanup, "nobody"),
		{GameID: "nobody", Kind: operation.KindPatch, Image: "gameserver:1.0.0"},
	} {
		_, err := r.Execute(request)
		require.ErrorIs(t, err, runtime.ErrNotFound, "%s", request.Kind)
	}
	_, err := r.Execute(nodetest.Op(operation.KindStart, "nobody"))
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "image is required")
}

func TestSameOperationIDReturnsTheFirstResult(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	request := nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))
	request.Origin.OperationID = "once"
	first := r.MustExecute(request)
	r.MustExecute(nodetest.Op(operation.KindStop, "g"))
	again := r.MustExecute(request)
	require.Equal(t, first, again)
	require.Equal(t, runtime.StatusStopped, r.Record("g").Status, "nothing is started again")

	failing := nodetest.StartOp("h", nodetest.GameSpec("9.9.9"))
	failing.Origin.OperationID = "fails"
	_, err := r.Execute(failing)
	_, repeated := r.Execute(failing)
	require.ErrorIs(t, repeated, container.ErrNoImage)
	require.Equal(t, err.Error(), repeated.Error())
}

func TestRequestsWithOneOperationIDShareOneOperation(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	request := nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--healthy-after", "300ms"))
	request.Origin.OperationID = "shared"
	var asking sync.WaitGroup
	outcomes := make([]operation.Outcome, 8)
	errs := make([]error, len(outcomes))
	for i := range outcomes {
		asking.Go(func() { outcomes[i], errs[i] = r.Service.Execute(t.Context(), request, nil) })
	}
	asking.Wait()
	for i := range outcomes {
		require.NoError(t, errs[i])
		require.Equal(t, outcomes[0], outcomes[i])
	}
	require.Len(t, r.Containers("g"), 1)
}

func TestBusyGameSaysWhoHasIt(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	slow := nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--healthy-after", "1h"))
	slow.Origin = ports.Origin{OperationID: "slow", Actor: "alice"}
	at := make(chan struct{})
	over := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() {
		_, err := r.Service.Execute(ctx, slow, func(p operation.Progress) {
			if p.Step == operation.StepAwaitingHealth && p.Text == "" {
				close(at)
			}
		})
		over <- err
	}()
	<-at
	_, err := r.Execute(nodetest.Op(operation.KindStop, "g"))
	var busy *operation.BusyError
	require.ErrorAs(t, err, &busy)
	require.Equal(t, "slow", busy.OperationID)
	require.Equal(t, operation.KindStart, busy.Kind)
	require.Equal(t, operation.StepAwaitingHealth, busy.Step)
	require.Equal(t, "eu/n1", busy.Holder)
	require.Equal(t, "alice", busy.Actor)
	require.False(t, busy.Since.IsZero())
	require.True(t, r.Service.HasActive("g"))

	leave()
	require.ErrorIs(t, <-over, context.Canceled)
	require.True(t, r.Service.HasActive("g"), "the operation goes on when who asked for it leaves")
}

func TestStartOnATakenPort(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	spec := nodetest.GameSpec("1.0.0")
	spec.Port = taken.Addr().(*net.TCPAddr).Port
	_, err = r.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Empty(t, r.Containers("g"))
}

func TestUnhealthyStartIsRolledBack(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--healthy-after", "1h")
	spec.HealthTimeout = operation.Duration(300_000_000)
	_, err := r.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "not healthy within 300ms")
	require.Empty(t, r.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, r.Record("g").Status)
}

func TestFailedPatchBringsTheOldImageBack(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	r.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	before := r.Record("g")

	_, err := r.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:2.0.0"})
	require.ErrorIs(t, err, operation.ErrRefused)
	require.ErrorContains(t, err, "major or minor")
	_, err = r.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.9"})
	require.ErrorIs(t, err, container.ErrNoImage)
	require.Equal(t, before, r.Record("g"), "the game has not been touched")

	// A patch keeps the arguments; this image does not live with them.
	_, err = r.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "broken:1.0.1", Force: true})
	require.ErrorIs(t, err, operation.ErrStartFailed)
	after := r.Record("g")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.CurrentContainerID, after.CurrentContainerID)
	require.Equal(t, "gameserver:1.0.0", after.CurrentImageRef)
	require.GreaterOrEqual(t, after.Generation, before.Generation, "a generation never goes back")
	require.Len(t, r.Containers("g"), 1)
	require.Equal(t, container.StateRunning, r.Containers("g")[0].State)
}

func TestPatchOfAStoppedGameLeavesItStopped(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	r.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	r.MustExecute(nodetest.Op(operation.KindStop, "g"))
	r.MustExecute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.1"})
	record := r.Record("g")
	require.Equal(t, runtime.StatusStopped, record.Status)
	require.Equal(t, "gameserver:1.0.1", record.CurrentImageRef)
	require.NoError(t, record.Validate())
	require.Len(t, r.Containers("g"), 1)
	r.MustExecute(nodetest.Op(operation.KindStart, "g"))
	require.Equal(t, record.CurrentContainerID, r.Record("g").CurrentContainerID)
}

func TestRestartOfAGameWhoseContainerIsGone(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	r.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	require.NoError(t, r.Engine.Remove(t.Context(), r.Record("g").CurrentContainerID))
	_, err := r.Execute(nodetest.Op(operation.KindRestart, "g"))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Equal(t, runtime.StatusRemoved, r.Record("g").Status)
}

func TestOperationIDThatLeavesNoRoomIsRefused(t *testing.T) {
	t.Parallel()
	r := nodetest.New(t, nodetest.Config{})
	request := nodetest.Op(operation.KindStop, "g")
	request.Origin.OperationID = string(make([]byte, 120))
	_, err := r.Execute(request)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "operation_id")
}

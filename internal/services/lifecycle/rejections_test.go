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
	n := nodetest.New(t, nodetest.Config{})
	for _, request := range []ports.OperationRequest{
		nodetest.Op(operation.KindStop, "unknown"), nodetest.Op(operation.KindRestart, "unknown"), nodetest.Op(operation.KindCleanup, "unknown"),
		{GameID: "unknown", Kind: operation.KindPatch, Image: "gameserver:1.0.0"},
	} {
		_, err := n.Execute(request)
		require.ErrorIs(t, err, runtime.ErrNotFound, "%s", request.Kind)
	}
	_, err := n.Execute(nodetest.Op(operation.KindStart, "unknown"))
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "image is required")
}

// A spec that the engine does not support is rejected before the operation is accepted.
func TestUnsupportedSpecIsRejectedBeforeAcceptance(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	withNetwork := nodetest.GameSpec("1.0.0")
	withNetwork.Network = "galaxy"
	for _, request := range []ports.OperationRequest{
		nodetest.StartOp("g", operation.Spec{Image: "gameserver"}),
		nodetest.StartOp("g", withNetwork),
	} {
		accepted := false
		_, err := n.Service.Execute(t.Context(), request, func(operation.Progress) { accepted = true })
		require.ErrorIs(t, err, runtime.ErrInvalid)
		require.False(t, accepted, "no step is reported")
	}
	stored, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Zero(t, stored.Revision, "no intent is stored")

	n.MustExecute(nodetest.StartOp("h", nodetest.GameSpec("1.0.0")))
	_, err = n.Execute(ports.OperationRequest{GameID: "h", Kind: operation.KindPatch, Image: "gameserver", Force: true})
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "has no version")
}

// An engine without a registry never gets an image that it lacks, so nothing is accepted.
func TestMissingImageIsRejected(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	for _, isAnyNode := range []bool{false, true} {
		request := nodetest.StartOp("missing", nodetest.GameSpec("9.9.9"))
		request.AnyNode = isAnyNode // there is no other node
		outcome, err := n.Execute(request)
		require.ErrorIs(t, err, container.ErrNoImage)
		require.Empty(t, outcome.OperationID)
	}
	stored, err := n.Store.GetIntent(t.Context(), "missing")
	require.NoError(t, err)
	require.Zero(t, stored.Revision, "no intent was stored")

	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	before, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	_, err = n.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.9"})
	require.ErrorIs(t, err, container.ErrNoImage)
	after, err := n.Store.GetIntent(t.Context(), "g")
	require.NoError(t, err)
	require.Equal(t, before, after)
}

func TestSameOperationIDReturnsTheFirstResult(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	request := nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))
	request.Origin.OperationID = "once"
	first := n.MustExecute(request)
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	second := n.MustExecute(request)
	require.Equal(t, first, second)
	require.Equal(t, runtime.StatusStopped, n.Record("g").Status, "the game is not started a second time")

	failing := nodetest.StartOp("h", nodetest.GameSpec("9.9.9"))
	failing.Origin.OperationID = "fails"
	_, err := n.Execute(failing)
	_, repeatedErr := n.Execute(failing)
	require.ErrorIs(t, repeatedErr, container.ErrNoImage)
	require.Equal(t, err.Error(), repeatedErr.Error())
}

func TestRequestsWithOneOperationIDShareOneOperation(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	request := nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--healthy-after", "300ms"))
	request.Origin.OperationID = "shared"
	var wg sync.WaitGroup
	outcomes := make([]operation.Outcome, 8)
	errs := make([]error, len(outcomes))
	for i := range outcomes {
		wg.Go(func() { outcomes[i], errs[i] = n.Service.Execute(t.Context(), request, nil) })
	}
	wg.Wait()
	for i := range outcomes {
		require.NoError(t, errs[i])
		require.Equal(t, outcomes[0], outcomes[i])
	}
	require.Len(t, n.Containers("g"), 1)
}

func TestBusyErrorNamesTheOperationInProgress(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	slow := nodetest.StartOp("g", nodetest.GameSpec("1.0.0", "--healthy-after", "1h"))
	slow.Origin = ports.Origin{OperationID: "slow", Actor: "alice"}
	waiting := make(chan struct{})
	errc := make(chan error, 1)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	go func() {
		_, err := n.Service.Execute(ctx, slow, func(p operation.Progress) {
			if p.Step == operation.StepAwaitingHealth && p.Text == "" {
				close(waiting)
			}
		})
		errc <- err
	}()
	<-waiting
	_, err := n.Execute(nodetest.Op(operation.KindRestart, "g"))
	var busy *operation.BusyError
	require.ErrorAs(t, err, &busy)
	require.Equal(t, "slow", busy.OperationID)
	require.Equal(t, operation.KindStart, busy.Kind)
	require.Equal(t, operation.StepAwaitingHealth, busy.Step)
	require.Equal(t, "eu/n1", busy.Holder)
	require.Equal(t, "alice", busy.Actor)
	require.False(t, busy.Since.IsZero())
	require.True(t, n.Service.HasActive("g"))

	leave()
	require.ErrorIs(t, <-errc, context.Canceled)
	require.True(t, n.Service.HasActive("g"), "the operation continues after its caller has left")
}

func TestStartOnAPortInUse(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	inUse, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer inUse.Close()
	spec := nodetest.GameSpec("1.0.0")
	spec.Port = inUse.Addr().(*net.TCPAddr).Port
	_, err = n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Empty(t, n.Containers("g"))
}

func TestUnhealthyStartIsRolledBack(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--healthy-after", "1h")
	spec.HealthTimeout = operation.Duration(300_000_000)
	_, err := n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "not healthy within 300ms")
	require.Empty(t, n.Containers("g"))
	require.Equal(t, runtime.StatusRemoved, n.Record("g").Status)
}

func TestFailedPatchRestoresTheOldImage(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	before := n.Record("g")

	_, err := n.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:2.0.0"})
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "major or minor")
	_, err = n.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.9"})
	require.ErrorIs(t, err, container.ErrNoImage)
	require.Equal(t, before, n.Record("g"), "the game has not changed")

	// This image exits at once.
	_, err = n.Execute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "broken:1.0.1", Force: true})
	require.ErrorIs(t, err, operation.ErrStartFailed)
	after := n.Record("g")
	require.Equal(t, runtime.StatusRunning, after.Status)
	require.Equal(t, before.CurrentContainerID, after.CurrentContainerID)
	require.Equal(t, "gameserver:1.0.0", after.CurrentImageRef)
	require.GreaterOrEqual(t, after.Generation, before.Generation, "a generation never decreases")
	require.Len(t, n.Containers("g"), 1)
	require.Equal(t, container.StateRunning, n.Containers("g")[0].State)
}

func TestPatchOfAStoppedGameLeavesItStopped(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	n.MustExecute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Image: "gameserver:1.0.1"})
	record := n.Record("g")
	require.Equal(t, runtime.StatusStopped, record.Status)
	require.Equal(t, "gameserver:1.0.1", record.CurrentImageRef)
	require.NoError(t, record.Validate())
	require.Len(t, n.Containers("g"), 1)
	n.MustExecute(nodetest.Op(operation.KindStart, "g"))
	require.Equal(t, record.CurrentContainerID, n.Record("g").CurrentContainerID)
}

func TestRestartOfAGameWhoseContainerIsMissing(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	n.MustExecute(nodetest.StartOp("g", nodetest.GameSpec("1.0.0")))
	require.NoError(t, n.Engine.Remove(t.Context(), n.Record("g").CurrentContainerID))
	_, err := n.Execute(nodetest.Op(operation.KindRestart, "g"))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Equal(t, runtime.StatusRemoved, n.Record("g").Status)
}

func TestLongOperationIDIsRejected(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	request := nodetest.Op(operation.KindStop, "g")
	request.Origin.OperationID = string(make([]byte, 120))
	_, err := n.Execute(request)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	require.ErrorContains(t, err, "operation_id")
}

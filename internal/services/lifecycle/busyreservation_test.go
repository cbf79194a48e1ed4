package lifecycle_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// heldEngine creates containers when release is closed.
type heldEngine struct {
	ports.Engine

	release <-chan struct{}
}

func (e heldEngine) Create(ctx context.Context, spec container.Spec) (container.Container, error) {
	select {
	case <-e.release:
	case <-ctx.Done():
		return container.Container{}, container.ErrEngineUnavailable
	}
	return e.Engine.Create(ctx, spec)
}

// A request that is rejected because of another operation on the game leaves no reservation, or each
// rejected start would occupy the node for a minute or longer.
func TestRejectedRequestReleasesItsReservation(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	n := nodetest.New(t, nodetest.Config{WrapEngine: func(e ports.Engine) ports.Engine { return heldEngine{e, release} }})
	first := make(chan error, 1)
	accepted := make(chan struct{})
	go func() {
		isReported := false
		_, err := n.Service.Execute(t.Context(), nodetest.StartOp("g", nodetest.GameSpec("1.0.0")), func(operation.Progress) {
			if !isReported {
				isReported = true
				close(accepted)
			}
		})
		first <- err
	}()
	<-accepted

	nodes, err := n.Registry.Nodes(t.Context())
	require.NoError(t, err)
	nodes[0].Capacity.Games = 10
	second := nodetest.StartOp("g", nodetest.GameSpec("1.0.1"))
	second.Origin.OperationID = "second"
	selection, err := n.Placement.Select(t.Context(), placement.Request{GameID: "g", OperationID: "second", Region: nodes[0].Region, Nodes: nodes})
	require.NoError(t, err)
	require.True(t, selection.IsReserved)
	second.IsReserved = true
	_, err = n.Execute(second)
	require.ErrorIs(t, err, operation.ErrBusy)
	requireNoReservationIn(t, n, nodes[0].Region)
	close(release)
	require.NoError(t, <-first)
}

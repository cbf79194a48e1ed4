package lifecycle_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// The placement counts what the records of running games request. A patch that keeps the container
// changes that too, or the node would have more games than it has space for.
func TestPatchOfTheRequestsChangesTheRecord(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0")
	spec.RequestMemoryBytes = 1 << 30
	n.MustExecute(nodetest.StartOp("g", spec))
	before := n.Record("g")
	require.EqualValues(t, 1<<30, before.RequestMemoryBytes)

	spec.RequestMemoryBytes, spec.RequestCPUs = 8<<30, 2
	outcome := n.MustExecute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Spec: &spec})
	require.False(t, outcome.Unchanged)
	after := n.Record("g")
	require.Equal(t, before.CurrentContainerID, after.CurrentContainerID)
	require.Equal(t, before.StartedAt, after.StartedAt)
	require.EqualValues(t, 8<<30, after.RequestMemoryBytes)
	require.InDelta(t, 2, after.RequestCPUs, 0)
	n.MustExecute(ports.OperationRequest{GameID: "g", Kind: operation.KindPatch, Spec: &spec})
	require.Equal(t, after.LastOpAt, n.Record("g").LastOpAt, "a second one writes nothing")
}

// A start never drops the labels and metadata that it names: a running game keeps its own.
func TestStartOfARunningGameWithOtherLabels(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	start := nodetest.StartOp("g", nodetest.GameSpec("1.0.0"))
	start.Labels = map[string]string{"env": "prod"}
	n.MustExecute(start)
	start.Origin.OperationID = ""
	n.MustExecute(start)
	start.Labels = map[string]string{"env": "dev"}
	_, err := n.Execute(start)
	require.ErrorIs(t, err, operation.ErrRejected)
	require.ErrorContains(t, err, "the game is running with other labels")
	require.Equal(t, map[string]string{"env": "prod"}, n.Record("g").Labels)
	start.Labels, start.Metadata = nil, `{"map":"x"}`
	_, err = n.Execute(start)
	require.ErrorContains(t, err, "the game is running with other metadata")
}

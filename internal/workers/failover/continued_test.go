package failover_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// pullingEngine is an engine whose pulls do not end.
type pullingEngine struct{ ports.Engine }

func (pullingEngine) EnsureImage(ctx context.Context, _ string, _ func(container.ImageProgress)) error {
	<-ctx.Done()
	return container.ErrEngineUnavailable
}

// The node is lost before it has started the container: another node continues the start, under any
// policy of the game for lost nodes. A start with a requested node waits for its node.
func TestStartOfALostNodeContinues(t *testing.T) {
	if testing.Short() {
		t.Skip("waits for a lease to expire")
	}
	t.Parallel()
	n := cluster(t, 1, shortTTL, nodetest.Config{WrapEngine: func(e ports.Engine) ports.Engine { return pullingEngine{e} }})
	other := nodetest.New(t, nodetest.Config{Prefix: n[0].Config.Prefix, Region: "eu", Name: "n2", LeaseTTL: longTTL, NodeLostGrace: 100 * time.Millisecond})
	for _, gameID := range []string{"any", "named"} {
		request := nodetest.StartOp(gameID, game(operation.NodeLostKeep))
		request.Origin.OperationID, request.AnyNode = "start-"+gameID, gameID == "any"
		go func() { _, _ = n[0].Execute(request) }()
		require.Eventually(t, func() bool {
			stored, err := other.Store.GetIntent(t.Context(), gameID)
			require.NoError(t, err)
			return stored.Intent.Current != nil
		}, nodetest.Timeout, 10*time.Millisecond)
	}
	other.Run()
	n[0].Crash()
	require.Eventually(t, func() bool {
		stored, err := other.Store.GetIntent(t.Context(), "any")
		require.NoError(t, err)
		outcome, found := stored.Intent.OutcomeOf("start-any")
		return found && outcome.Failure == nil && outcome.Node == "n2" && len(outcome.Attempts) == 1
	}, nodetest.Timeout, 20*time.Millisecond)
	require.Equal(t, runtime.StatusRunning, other.Record("any").Status)
	stored, err := other.Store.GetIntent(t.Context(), "named")
	require.NoError(t, err)
	require.Equal(t, "n1", stored.Intent.Current.Node)
}

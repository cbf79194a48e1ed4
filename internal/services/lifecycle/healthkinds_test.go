package lifecycle_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestAStartAwaitsAHeartbeatOfTheGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--heartbeat")
	spec.Health = operation.HealthCheck{Kind: operation.HealthKindHeartbeat, Interval: operation.Duration(time.Hour)}
	n.MustExecute(nodetest.StartOp("g", spec))

	// The heartbeat of the earlier run does not count.
	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	spec.Args = []string{"--heartbeat", "--never-healthy"}
	spec.HealthTimeout = operation.Duration(2 * time.Second)
	_, err := n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "no heartbeat since the start")
}

func TestAStartAwaitsATCPListener(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--never-healthy")
	spec.Health.Kind = operation.HealthKindTCP
	n.MustExecute(nodetest.StartOp("g", spec))
	require.NotEmpty(t, n.Record("g").EngineEndpoint)
}

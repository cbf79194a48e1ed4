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

func TestAStartAwaitsACommandInTheGame(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--never-healthy")
	spec.Env = map[string]string{"GREETING": "hello"}
	spec.Health.Exec.Command = []string{"sh", "-c", `[ "$GREETING" = hello ] && [ "$PWD" = "$HOME" ]`}
	n.MustExecute(nodetest.StartOp("g", spec))

	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	spec.Health.Exec.Command = []string{"sh", "-c", "echo broken >&2; exit 3"}
	spec.HealthTimeout = operation.Duration(2 * time.Second)
	_, err := n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, `exited with code 3: "broken"`)

	spec.Health.Exec.Command = []string{"sleep", "1000"}
	spec.Health.Timeout = operation.Duration(200 * time.Millisecond)
	_, err = n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, `command ["sleep" "1000"]: context deadline exceeded`)
}

func TestAStartAwaitsANamedPort(t *testing.T) {
	t.Parallel()
	n := nodetest.New(t, nodetest.Config{})
	spec := nodetest.GameSpec("1.0.0", "--never-healthy", "--echo-tcp=echo")
	spec.Ports = []operation.PortSpec{{Name: "query"}, {Name: "echo"}}
	spec.Health = operation.HealthCheck{Kind: operation.HealthKindTCP, Port: "echo"}
	n.MustExecute(nodetest.StartOp("g", spec))

	n.MustExecute(nodetest.Op(operation.KindStop, "g"))
	spec.Health.Port, spec.HealthTimeout = "query", operation.Duration(2*time.Second)
	_, err := n.Execute(nodetest.StartOp("g", spec))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.ErrorContains(t, err, "connection refused", "the game does not listen at this port")
}

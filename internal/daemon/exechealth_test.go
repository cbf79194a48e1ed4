package daemon_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/dockertest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// requireHealth waits until the record has the health.
func (r *runningDaemon) requireHealth(t *testing.T, gameID string, want runtime.Health) {
	t.Helper()
	require.Eventually(t, func() bool {
		record, err := r.client.Get(t.Context(), gameID)
		return err == nil && record.Health == want
	}, timeout, timeout/1000, want)
}

// A command checks the health of a running game, which becomes unhealthy and healthy.
func TestExecHealthCheckOfARunningGame(t *testing.T) {
	t.Parallel()
	cfg := processSettings(t)
	cfg.HealthEvery, cfg.ReconcileEvery = 100*time.Millisecond, 200*time.Millisecond
	d := start(t, cfg)
	d.execute(t, operation.KindStart, "g", &operation.Spec{Image: "game:1", Health: operation.HealthCheck{
		Exec: operation.HealthCommand{Command: []string{"sh", "-c", "test ! -e bad"}}, FailureThreshold: 1,
	}})
	d.requireHealth(t, "g", runtime.HealthHealthy)
	bad := filepath.Join(d.statePath(t, "g"), "bad")
	require.NoError(t, os.WriteFile(bad, nil, 0o600))
	d.requireHealth(t, "g", runtime.HealthUnhealthy)
	page, err := d.client.Explain(t.Context(), "g")
	require.NoError(t, err)
	require.NotEmpty(t, page.Findings)
	require.Contains(t, page.Findings[0].Evidence, `command ["sh" "-c" "test ! -e bad"] exited with code 1`)
	require.NoError(t, os.Remove(bad))
	d.requireHealth(t, "g", runtime.HealthHealthy)
}

func TestExecHealthCheckInADockerContainer(t *testing.T) {
	image := dockerImage(t)
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.DataDir, cfg.Engine, cfg.Region, cfg.Node = t.TempDir(), config.EngineDocker, "local", "games"
	cfg.HealthEvery, cfg.ReconcileEvery = 100*time.Millisecond, 200*time.Millisecond
	d := start(t, cfg)
	removeContainersAtEnd(t, dockertest.Client(t), d.Store)
	spec := &operation.Spec{
		Image: image, Args: []string{"--never-healthy", "--echo-tcp=echo"}, Ports: []operation.PortSpec{{Name: "echo", ContainerPort: 7777}},
		Health: operation.HealthCheck{Exec: operation.HealthCommand{Command: []string{"/game", "run", "exit", "0"}}},
	}
	d.execute(t, operation.KindStart, "g", spec)
	d.requireHealth(t, "g", runtime.HealthHealthy)
	spec.Health = operation.HealthCheck{Kind: operation.HealthKindTCP, Port: "echo"}
	d.execute(t, operation.KindStop, "g", nil)
	d.execute(t, operation.KindStart, "g", spec)
	d.requireHealth(t, "g", runtime.HealthHealthy)
}

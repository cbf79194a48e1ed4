package health_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/workers/health"
)

func TestSpecSetsTheFailureThreshold(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 2})
	f.putSpec("g", operation.Spec{Image: "a:1", Health: operation.HealthCheck{Kind: operation.HealthKindTCP, FailureThreshold: 4}})
	f.putRunning("g", "n1", "c1", startedAt)
	f.prober.set("tcp://g", fails("refused"))
	f.passes(3)
	require.Empty(t, f.unhealthy("g"))
	f.passes(1)
	require.Contains(t, f.unhealthy("g"), "at least 4 health checks in a row: refused")
}

func TestFailuresWithinTheStartDelayDoNotCount(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.putSpec("g", operation.Spec{Image: "a:1", Health: operation.HealthCheck{StartDelay: operation.Duration(time.Hour), FailureThreshold: 1}})
	f.putRunning("g", "n1", "c1", time.Now().Add(-time.Minute))
	f.prober.set("http://g/healthz", fails("no"))
	f.passes(3)
	require.Empty(t, f.prober.urls())
	f.putRunning("g", "n1", "c1", time.Now().Add(-2*time.Hour))
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
}

func TestIntervalOfASpecLimitsTheProbes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.putSpec("slow", operation.Spec{Image: "a:1", Health: operation.HealthCheck{Interval: operation.Duration(time.Hour)}})
	f.putRunning("slow", "n1", "c1", startedAt)
	f.putRunning("g", "n1", "c2", startedAt)
	f.passes(3)
	require.Equal(t, []string{"http://g/healthz", "http://g/healthz", "http://g/healthz", "http://slow/healthz"}, f.prober.urls())
	f.putRunning("slow", "n1", "c1", startedAt.Add(time.Minute))
	f.passes(1)
	require.Len(t, f.prober.urls(), 6, "the first probe of a run is not delayed")
}

// TestOutdatedOperationDoesNotPreventProbes has the store know an operation that has ended.
func TestOutdatedOperationDoesNotPreventProbes(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{})
	f.putSpec("g", operation.Spec{Image: "a:1"})
	f.putRunning("g", "n1", "c1", startedAt)
	f.intents.stale = &operation.Intent{Current: &operation.Operation{ID: "op", Kind: operation.KindStop}}
	f.passes(12)
	require.Empty(t, f.prober.urls())
	require.Zero(t, f.intents.reads)
	f.passes(10)
	require.Len(t, f.prober.urls(), 10)
	require.Equal(t, 1, f.intents.reads, "reads of the intent")
}

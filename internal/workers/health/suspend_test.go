package health_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/workers/health"
)

var errRefused = errors.New("connection refused")

func failProbe(context.Context) error { return errRefused }

// While the engine is away, the ports that it forwards are away too. Those results must not
// count when it is back.
func TestResultsOfTheTimeWithoutTheEngineAreDiscarded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 3})
	f.putRunning("g", "n1", "c1", startedAt)
	f.prober.set("http://g/healthz", failProbe)
	f.passes(2)
	f.Suspend()
	f.passes(5)
	require.Empty(t, f.unhealthy("g"))
	f.Resume()
	f.passes(2)
	require.Empty(t, f.unhealthy("g"), "the failures before the absence do not count either")
	f.passes(1)
	require.Contains(t, f.unhealthy("g"), "connection refused")
}

// A probe that was in progress when the engine returned does not count.
func TestAProbeThatStartedBeforeResumeIsDiscarded(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1})
	f.putRunning("g", "n1", "c1", startedAt)
	f.prober.set("http://g/healthz", func(context.Context) error {
		f.Suspend()
		f.Resume()
		return errRefused
	})
	f.passes(1)
	require.Empty(t, f.unhealthy("g"))
}

func TestRecheckOfAGameThatPassesMakesItHealthy(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1})
	f.putRunning("g", "n1", "c1", startedAt)
	f.prober.set("http://g/healthz", failProbe)
	f.passes(1)
	require.NotEmpty(t, f.unhealthy("g"))
	record, err := f.store.Get(t.Context(), "g")
	require.NoError(t, err)
	f.Recheck(t.Context(), record, operation.Spec{})
	require.NotEmpty(t, f.unhealthy("g"))
	f.prober.set("http://g/healthz", nil)
	f.Recheck(t.Context(), record, operation.Spec{})
	require.Empty(t, f.unhealthy("g"))
}

// Games that hang delay only each other: the probes of the other games continue.
func TestHungGamesDoNotDelayTheProbesOfOthers(t *testing.T) {
	t.Parallel()
	f := newFixture(t, health.Config{Failures: 1, Concurrency: 4, Interval: time.Millisecond})
	const hung = 16
	for i := range hung {
		game := fmt.Sprintf("hung%d", i)
		f.putRunning(game, "n1", "c-"+game, startedAt)
		f.prober.set("http://"+game+"/healthz", failProbe)
	}
	f.putRunning("g", "n1", "c1", startedAt)
	f.passes(1) // the hung games are known to fail
	for i := range hung {
		f.prober.set(fmt.Sprintf("http://hung%d/healthz", i), func(ctx context.Context) error {
			<-ctx.Done()
			return ctx.Err()
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error)
	go func() { done <- f.Run(ctx) }()
	probes := func() (n int) {
		for _, url := range f.prober.urls() {
			if url == "http://g/healthz" {
				n++
			}
		}
		return n
	}
	require.Eventually(t, func() bool { return probes() > 20 }, timeout, time.Millisecond)
	cancel()
	require.NoError(t, <-done)
}

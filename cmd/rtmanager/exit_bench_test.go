package main

import (
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/dockertest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// BenchmarkExitEvent measures the time from the exit of a killed game to the event that a
// watcher of the API receives. Use -benchtime 50x.
func BenchmarkExitEvent(b *testing.B) {
	d := startDaemonWith(b, "--engine", "process")
	buildGameImages(b, filepath.Join(d.dir, "images", "gameserver"))
	benchmarkExitEvent(b, d, "gameserver:1.0.0", func(record runtime.RuntimeRecord) {
		require.NoError(b, syscall.Kill(nodetest.GamePID(b, record.EngineEndpoint), syscall.SIGKILL))
	})
}

// BenchmarkDockerExitEvent is BenchmarkExitEvent on Docker.
func BenchmarkDockerExitEvent(b *testing.B) {
	nodetest.ImagesDir = b.TempDir()
	buildGameImages(b, filepath.Join(nodetest.ImagesDir, "gameserver"))
	prefix := nodetest.DockerImages(b)
	docker := dockertest.Client(b)
	d := startDaemonWith(b, "--engine", "docker")
	benchmarkExitEvent(b, d, prefix+"gameserver:1.0.0", func(record runtime.RuntimeRecord) {
		_, err := docker.ContainerKill(b.Context(), record.CurrentContainerID, client.ContainerKillOptions{})
		require.NoError(b, err)
	})
}

func benchmarkExitEvent(b *testing.B, d *daemonProcess, image string, kill func(runtime.RuntimeRecord)) {
	b.Helper()
	stopped := make(chan struct{})
	watched := make(chan struct{})
	go func() {
		for event, err := range d.client.Watch(b.Context(), ports.WatchOptions{Resync: true}) {
			switch {
			case err != nil:
				return // the benchmark has ended
			case event.Type == ports.EventSynced:
				close(watched)
			case event.Type == ports.EventTransitioned && event.After.Status == runtime.StatusStopped:
				stopped <- struct{}{}
			}
		}
	}()
	<-watched
	execute := func(kind operation.Kind, spec *operation.Spec) operation.Outcome {
		outcome, err := d.client.Execute(b.Context(), ports.OperationRequest{GameID: "g", Kind: kind, Spec: spec}, nil)
		require.NoError(b, err)
		return outcome
	}
	var durations []time.Duration
	for b.Loop() {
		outcome := execute(operation.KindStart, &operation.Spec{Image: image})
		start := time.Now()
		kill(*outcome.Record)
		<-stopped
		durations = append(durations, time.Since(start))
	}
	execute(operation.KindCleanup, nil)
	slices.Sort(durations)
	b.ReportMetric(0, "ns/op") // the total includes the start
	b.ReportMetric(float64(durations[len(durations)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(durations[len(durations)-1].Microseconds())/1000, "worst-ms")
}

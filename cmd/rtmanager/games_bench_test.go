package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/ports"
)

// BenchmarkThousandGames runs a thousand games on one node, from start to cleanup. Use
// -benchtime 1x.
func BenchmarkThousandGames(b *testing.B) {
	const games, clients, idle = 1000, 16, 20 * time.Second
	d := startDaemonWith(b, "--engine", "process")
	buildGameImages(b, filepath.Join(d.dir, "images", "gameserver"))
	executeAll := func(kind operation.Kind, spec *operation.Spec) time.Duration {
		start := time.Now()
		var group errgroup.Group
		group.SetLimit(clients)
		for n := range games {
			group.Go(func() error {
				request := ports.OperationRequest{GameID: fmt.Sprintf("game-%d", n), Kind: kind, Spec: spec}
				_, err := d.client.Execute(b.Context(), request, nil)
				return err
			})
		}
		require.NoError(b, group.Wait())
		return time.Since(start)
	}
	for b.Loop() {
		b.ReportMetric(executeAll(operation.KindStart, &operation.Spec{Image: "gameserver:1.0.0"}).Seconds(), "start-s")
		b.ReportMetric(float64(measureMedianPass(b, d).Microseconds())/1000, "pass-ms")
		before := readCPUTime(b, d.cmd.Process.Pid)
		<-time.After(idle)
		b.ReportMetric(100*(readCPUTime(b, d.cmd.Process.Pid)-before).Seconds()/idle.Seconds(), "idle-cpu-%")
		b.ReportMetric(readResidentMB(b, d.cmd.Process.Pid), "idle-MB")
		d.killAfter(0)
		start := time.Now()
		d.start()
		b.ReportMetric(time.Since(start).Seconds(), "ready-s")
		measureMedianPass(b, d) // it has observed all games
		b.ReportMetric(executeAll(operation.KindStop, nil).Seconds(), "stop-s")
		b.ReportMetric(executeAll(operation.KindCleanup, nil).Seconds(), "cleanup-s")
	}
	b.ReportMetric(0, "ns/op")
}

// measureMedianPass returns the median duration of a drift request, for which the daemon observes
// every game. It requires that there is no drift.
func measureMedianPass(b *testing.B, d *daemonProcess) time.Duration {
	b.Helper()
	var durations []time.Duration
	for range 9 {
		start := time.Now()
		report, err := d.client.Drift(b.Context())
		durations = append(durations, time.Since(start))
		require.NoError(b, err)
		require.Empty(b, report.Findings)
	}
	slices.Sort(durations)
	return durations[len(durations)/2]
}

// readCPUTime returns the CPU time of the process; see proc_pid_stat(5).
func readCPUTime(b *testing.B, pid int) time.Duration {
	b.Helper()
	const user, system, tick = 11, 12, 10 * time.Millisecond
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	require.NoError(b, err)
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	ticks := 0
	for _, field := range []string{fields[user], fields[system]} {
		n, err := strconv.Atoi(field)
		require.NoError(b, err)
		ticks += n
	}
	return time.Duration(ticks) * tick
}

// readResidentMB returns the resident memory of the process; see proc_pid_statm(5).
func readResidentMB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	require.NoError(b, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(b, err)
	return float64(pages*os.Getpagesize()) / 1e6
}

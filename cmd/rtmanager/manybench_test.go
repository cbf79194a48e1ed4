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

// A thousand games on one node, from start to cleanup. It is for -benchtime 1x.
func BenchmarkThousandGames(b *testing.B) {
	const games, clients, rest = 1000, 16, 20 * time.Second
	d := startDaemonWith(b, "--engine", "process")
	buildSoakImages(b, filepath.Join(d.dir, "images", "gameserver"))
	each := func(kind operation.Kind, spec *operation.Spec) time.Duration {
		began := time.Now()
		var asking errgroup.Group
		asking.SetLimit(clients)
		for n := range games {
			asking.Go(func() error {
				request := ports.OperationRequest{GameID: fmt.Sprintf("game-%d", n), Kind: kind, Spec: spec}
				_, err := d.client.Execute(b.Context(), request, nil)
				return err
			})
		}
		require.NoError(b, asking.Wait())
		return time.Since(began)
	}
	for b.Loop() {
		b.ReportMetric(each(operation.KindStart, &operation.Spec{Image: "gameserver:1.0.0"}).Seconds(), "start-s")
		b.ReportMetric(float64(medianPass(b, d).Microseconds())/1000, "pass-ms")
		before := processorTime(b, d.cmd.Process.Pid)
		<-time.After(rest)
		b.ReportMetric(100*(processorTime(b, d.cmd.Process.Pid)-before).Seconds()/rest.Seconds(), "rest-cpu-%")
		b.ReportMetric(residentMB(b, d.cmd.Process.Pid), "rest-MB")
		d.killAfter(0)
		began := time.Now()
		d.start()
		b.ReportMetric(time.Since(began).Seconds(), "ready-s")
		medianPass(b, d) // it has found them all
		b.ReportMetric(each(operation.KindStop, nil).Seconds(), "stop-s")
		b.ReportMetric(each(operation.KindCleanup, nil).Seconds(), "cleanup-s")
	}
	b.ReportMetric(0, "ns/op")
}

// medianPass asks for the drift, for which the daemon looks at every game. There is none.
func medianPass(b *testing.B, d *daemonProcess) time.Duration {
	b.Helper()
	var took []time.Duration
	for range 9 {
		began := time.Now()
		report, err := d.client.Drift(b.Context())
		took = append(took, time.Since(began))
		require.NoError(b, err)
		require.Empty(b, report.Findings)
	}
	slices.Sort(took)
	return took[len(took)/2]
}

// processorTime is what the process has used so far, by proc_pid_stat(5).
func processorTime(b *testing.B, pid int) time.Duration {
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

// residentMB is the memory of the process that is in use, by proc_pid_statm(5).
func residentMB(b *testing.B, pid int) float64 {
	b.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	require.NoError(b, err)
	pages, err := strconv.Atoi(strings.Fields(string(text))[1])
	require.NoError(b, err)
	return float64(pages*os.Getpagesize()) / 1e6
}

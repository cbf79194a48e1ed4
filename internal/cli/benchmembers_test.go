package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/perf/benchfmt"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/cli"
)

// requireNoFiles requires that the directory is empty.
func requireNoFiles(t *testing.T, dir string) {
	t.Helper()
	remaining, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, remaining, "temporary files that bench did not remove")
}

// Not parallel: it sets the temporary directory of the process.
func TestBenchOfMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs etcd")
	}
	temporary, profiles := t.TempDir(), filepath.Join(t.TempDir(), "profiles")
	t.Setenv("TMPDIR", temporary)
	got := run(t, "", smallBench("--members", "3", "-o", "json", "--row", "update-rate", "--row", "update-latency", "--profile", profiles)...)
	got.requireCode(t, 0, "bench")
	requireNoFiles(t, temporary)
	for _, row := range []string{"update-rate", "update-latency"} {
		for _, side := range []string{"measured", "baseline"} {
			for _, kind := range []string{"cpu", "m1-cpu", "m2-cpu", "m3-cpu", "allocs-base", "allocs"} {
				info, err := os.Stat(filepath.Join(profiles, row+"-"+side+"-"+kind+".pprof"))
				require.NoError(t, err)
				require.NotZero(t, info.Size(), info.Name())
			}
		}
	}

	var report bench.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report), "printed %s", got.out)
	require.Equal(t, "members", report.Machine.Etcd)
	require.Equal(t, 3, report.Machine.Members)
	require.Len(t, report.Rows, 2)
	for _, row := range report.Rows {
		require.GreaterOrEqual(t, len(row.Rounds), 5, row.Name)
		require.NotNil(t, row.CPU, row.Name)
		require.NotNil(t, row.EtcdCPU, row.Name)
		for _, round := range row.Rounds {
			for _, side := range []bench.Side{round.Measured, round.Baseline} {
				require.Positive(t, side.Operations, row.Name)
				require.Positive(t, side.CPUUS, row.Name)
				require.Positive(t, side.EtcdCPUUS, row.Name)
			}
		}
	}
}

// The output is that of Go benchmarks, with one result per side of each round.
func TestBenchInTheFormatOfGoBenchmarks(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	got := run(t, "", smallBench("--members", "1", "-o", "benchfmt", "--row", "update-rate", "--row", "list", "--row", "subscribers", "--row", "growth")...)
	got.requireCode(t, 0, "bench")
	count := map[string]int{}
	for reader := benchfmt.NewReader(strings.NewReader(got.out), "stdout"); reader.Scan(); {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			require.NoError(t, record, "printed %s", got.out)
		case *benchfmt.Result:
			name := string(record.Name.Full())
			count[name[:strings.LastIndex(name, "/")]]++
			require.Equal(t, runtime.GOARCH, record.GetConfig("goarch"))
			require.Equal(t, runtime.GOOS, record.GetConfig("goos"))
			require.Equal(t, "galaxy/rtmanager/internal/bench", record.GetConfig("pkg"))
			require.Positive(t, record.Iters, name)
			if strings.HasPrefix(name, "UpdateRate/") {
				require.Contains(t, name, "/members=1/writers=4")
				for _, unit := range []string{"sec/op", "cpu-sec/op", "etcd-cpu-sec/op", "B/op", "allocs/op", "p50-sec", "p99-sec"} {
					value, isMeasured := record.Value(unit)
					require.True(t, isMeasured, "%s has no %s", name, unit)
					require.Positive(t, value, "%s %s", name, unit)
				}
			}
		}
	}
	for _, name := range []string{"UpdateRate/side=rtmanager/members=1", "UpdateRate/side=bare/members=1"} {
		require.GreaterOrEqual(t, count[name], 5, "%s in %s", name, got.out)
	}
	require.Equal(t, 1, count["Subscribers/side=rtmanager/members=1"], got.out)
	require.Equal(t, 1, count["Growth/side=rtmanager/members=1"], got.out)

	got = run(t, "", "list", "-o", "benchfmt")
	got.requireCode(t, 2, "list")
	require.NotContains(t, got.err, "custom-columns=…, benchfmt", "other commands do not have the format")
}

// Another program measures the other side of the rows that it has.
func TestBenchAgainstAnotherStore(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs etcd")
	}
	program, err := os.Executable()
	require.NoError(t, err)
	got := run(t, "", smallBench("--against", program, "-o", "json", "--row", "update-rate", "--row", "list")...)
	got.requireCode(t, 0, "bench")
	var report bench.Report
	require.NoError(t, json.Unmarshal([]byte(got.out), &report), "printed %s", got.out)
	require.Len(t, report.Rows, 2)
	require.Equal(t, [2]string{"rtmanager", filepath.Base(program)}, report.Rows[0].Sides)
	require.InDelta(t, 1e6, report.Rows[0].Baseline, 1, "operations a second")
	require.InDelta(t, 10, report.Rows[1].Baseline, 0.01, "µs")
	require.InDelta(t, 2, report.Rows[1].Rounds[0].Baseline.CPUUS, 0.01)
	require.InDelta(t, 3, report.Rows[1].Rounds[0].Baseline.Allocations, 0.01)

	got = run(t, "", smallBench("--against", program, "--row", "get-rate")...)
	got.requireCode(t, 1, "bench")
	require.Contains(t, got.err, "get-rate: no such row")
	got = run(t, "", smallBench("--against", "/missing/store", "--row", "list")...)
	got.requireCode(t, 1, "bench")
	require.Contains(t, got.err, "start store: ")
}

// Not parallel: it sets the temporary directory of the process.
func TestInterruptedBenchStopsItsMembers(t *testing.T) {
	if testing.Short() {
		t.Skip("needs etcd")
	}
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	errs := &interruptingWriter{awaited: "update-rate …", interrupt: interrupt}
	var out bytes.Buffer
	code := cli.Main(ctx, smallBench("--members", "1", "--duration", "1s", "--row", "update-rate"), cli.Streams{Out: &out, Err: errs, LookupEnv: func(string) (string, bool) { return "", false }})
	require.Equal(t, 130, code, "printed\n%s", errs.text.String())
	requireNoFiles(t, temporary)
}

package cli_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

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

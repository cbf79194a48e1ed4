package bench_test

import (
	"context"
	"encoding/json"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// tinyOptions returns options of a short run, whose figures mean nothing.
func tinyOptions() bench.Options {
	return bench.Options{Writers: 4, Readers: 3, Watchers: 5, Records: 200, Duration: 50 * time.Millisecond}
}

// clusterOf returns the shared etcd as an external cluster, with a prefix of the test.
func clusterOf(t *testing.T) bench.Cluster {
	client := etcdtest.Client(t)
	return bench.Cluster{Client: client, WatchClient: client, Prefix: etcdtest.Prefix(t)}
}

// requireEmpty fails if keys of a run remain.
func requireEmpty(t *testing.T, cluster bench.Cluster) {
	t.Helper()
	remaining, err := cluster.Client.Get(context.WithoutCancel(t.Context()), cluster.Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.Zero(t, remaining.Count, "keys remain under %s", cluster.Prefix)
}

func TestEveryRowIsMeasured(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	cluster := clusterOf(t)
	var finished []string
	report, err := bench.Run(t.Context(), cluster, tinyOptions(), func(p bench.Progress) {
		if p.Finished != nil {
			finished = append(finished, p.Finished.Name)
		}
	})
	require.NoError(t, err)
	requireEmpty(t, cluster)

	require.Equal(t, "external", report.Machine.Etcd)
	require.ElementsMatch(t, bench.RowNames(), finished, "rows reported by progress")
	var names []string
	for _, row := range report.Rows {
		names = append(names, row.Name)
		requirePlausible(t, row)
	}
	require.Equal(t, bench.RowNames(), names)
	_, err = json.Marshal(report)
	require.NoError(t, err)
}

// requirePlausible fails if a figure of a row is not plausible at any speed.
func requirePlausible(t *testing.T, row bench.Row) {
	t.Helper()
	require.NotEmpty(t, row.What, row.Name)
	require.NotEmpty(t, row.Against, row.Name)
	require.NotEmpty(t, row.Target, row.Name)
	require.NotEmpty(t, row.Unit, row.Name)
	require.NotEmpty(t, row.Details, row.Name)
	for name, figure := range map[string]float64{"measured": row.Measured, "baseline": row.Baseline, "ratio": row.Ratio, "lowest ratio": row.Spread[0]} {
		require.Greater(t, figure, 0.0, "%s: %s", row.Name, name)
	}
	require.LessOrEqual(t, row.Spread[0], row.Spread[1], row.Name)
	for name, figure := range row.Details {
		require.False(t, math.IsNaN(figure) || math.IsInf(figure, 0), "%s: %s is %v", row.Name, name, figure)
	}
}

func TestOnlySelectedRowsAreMeasured(t *testing.T) {
	t.Parallel()
	cluster, options := clusterOf(t), tinyOptions()
	options.Rows = []string{"growth", "list"}
	report, err := bench.Run(t.Context(), cluster, options, nil)
	require.NoError(t, err)
	requireEmpty(t, cluster)
	require.Len(t, report.Rows, 2)
	require.Equal(t, "list", report.Rows[0].Name, "the order is that of the report")
	require.Equal(t, "growth", report.Rows[1].Name)
}

// TestInterruptedRunLeavesNothing interrupts a run in each of its rows.
func TestInterruptedRunLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range bench.RowNames() {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			cluster, options := clusterOf(t), tinyOptions()
			options.Rows = []string{row}
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			report, err := bench.Run(ctx, cluster, options, func(p bench.Progress) {
				if p.Activity == row {
					interrupt()
				}
			})
			require.ErrorIs(t, err, context.Canceled)
			require.Empty(t, report.Rows)
			requireEmpty(t, cluster)
		})
	}
}

func TestInterruptedLoadLeavesNothing(t *testing.T) {
	t.Parallel()
	cluster, options := clusterOf(t), tinyOptions()
	options.Records = 100_000
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	_, err := bench.Run(ctx, cluster, options, func(p bench.Progress) {
		if p.Done > 0 {
			interrupt()
		}
	})
	require.ErrorIs(t, err, context.Canceled)
	requireEmpty(t, cluster)
}

// TestRemainingKeysAreReported has the removal fail after a successful run.
func TestRemainingKeysAreReported(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes seconds")
	}
	cluster := clusterOf(t)
	failing := clientv3.NewCtxClient(t.Context())
	failing.KV, failing.Watcher = failingDeletes{cluster.Client.KV}, cluster.Client.Watcher
	guarded := cluster
	guarded.Client = failing
	options := tinyOptions()
	options.Rows = []string{"get-rate"}
	report, err := bench.Run(t.Context(), guarded, options, nil)
	require.Len(t, report.Rows, 1, "the run itself succeeds")
	var leftover *bench.LeftoverError
	require.ErrorAs(t, err, &leftover)
	require.ErrorIs(t, err, errDelete)
	require.ErrorContains(t, err, leftover.Prefix)

	remaining, err := cluster.Client.Get(t.Context(), leftover.Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.NotZero(t, remaining.Count, "the reported prefix must contain the keys")
}

var errDelete = errors.New("delete failed")

// failingDeletes is a KV whose deletes fail.
type failingDeletes struct{ clientv3.KV }

func (failingDeletes) Delete(context.Context, string, ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	return nil, errDelete
}

func TestInvalidOptionsNameTheirFlags(t *testing.T) {
	t.Parallel()
	options := bench.Options{Records: 9, Rows: []string{"speed"}}
	_, err := bench.Run(t.Context(), bench.Cluster{}, options, nil)
	require.ErrorIs(t, err, runtime.ErrInvalid)
	for _, fault := range []string{
		"--writers is 0", "--readers is 0", "--watchers is 0", "--records is 9; use 10", "--duration is 0s",
		`--row "speed" is not a row; use one of update-latency, `,
	} {
		require.ErrorContains(t, err, fault)
	}
	require.NoError(t, bench.Default().Validate())
}

func TestQuantiles(t *testing.T) {
	t.Parallel()
	var durations []time.Duration
	for i := range 1001 {
		durations = append(durations, time.Duration(i)*time.Microsecond)
	}
	for q, want := range map[float64]time.Duration{0: 0, 0.5: 500 * time.Microsecond, 0.99: 990 * time.Microsecond, 1: time.Millisecond} {
		got := bench.Quantile(durations, q)
		require.InEpsilon(t, float64(want+1), float64(got+1), 0.016, "quantile %v of 0 to 1000 µs is %s", q, got)
	}
	require.Zero(t, bench.Quantile(nil, 0.5))
	require.InEpsilon(t, float64(math.MaxInt64), float64(bench.Quantile([]time.Duration{math.MaxInt64}, 1)), 0.016)
}

func TestContinueOfAPage(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"items":[{"game_id":"a","labels":{"continue":"no"}}],"continue":"next"}`: "next",
		`{"items":[],"continue":"a\u0026b","regions":[{"name":"eu"}]}`:             "a&b",
		`{"items":[]}`: "",
	} {
		token, err := bench.ContinueOf([]byte(body))
		require.NoError(t, err, body)
		require.Equal(t, want, token, body)
	}
	_, err := bench.ContinueOf([]byte(`{"continue":"ne`))
	require.Error(t, err)
}

func TestSizesOfGrowth(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{200}, bench.GrowthSizes(200))
	require.Equal(t, []int{1000}, bench.GrowthSizes(1000))
	require.Equal(t, []int{1000, 10_000, 100_000}, bench.GrowthSizes(100_000))
	require.Equal(t, []int{1000, 10_000, 25_000}, bench.GrowthSizes(25_000))
}

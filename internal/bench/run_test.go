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

// tiny is a run that is over in a moment and proves nothing about speed.
func tiny() bench.Options {
	return bench.Options{Writers: 4, Readers: 3, Watchers: 5, Records: 200, Duration: 50 * time.Millisecond}
}

// clusterOf is the shared etcd as an external one, under a prefix of the test's.
func clusterOf(t *testing.T) bench.Cluster {
	client := etcdtest.Client(t)
	return bench.Cluster{Client: client, WatchClient: client, Prefix: etcdtest.Prefix(t)}
}

// requireEmpty fails where a run left keys.
func requireEmpty(t *testing.T, cluster bench.Cluster) {
	t.Helper()
	left, err := cluster.Client.Get(context.WithoutCancel(t.Context()), cluster.Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.Zero(t, left.Count, "keys that were left under %s", cluster.Prefix)
}

func TestEveryRowIsMeasured(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	var finished []string
	report, err := bench.Run(t.Context(), cluster, tiny(), func(p bench.Progress) {
		if p.Finished != nil {
			finished = append(finished, p.Finished.Name)
		}
	})
	require.NoError(t, err)
	requireEmpty(t, cluster)

	require.Equal(t, "external", report.Machine.Etcd)
	require.ElementsMatch(t, bench.RowNames(), finished, "rows that progress told of")
	var names []string
	for _, row := range report.Rows {
		names = append(names, row.Name)
		requireSound(t, row)
	}
	require.Equal(t, bench.RowNames(), names)
	_, err = json.Marshal(report)
	require.NoError(t, err)
}

// requireSound fails where a figure of a row makes no sense, however slow it was.
func requireSound(t *testing.T, row bench.Row) {
	t.Helper()
	require.NotEmpty(t, row.What, row.Name)
	require.NotEmpty(t, row.Against, row.Name)
	require.NotEmpty(t, row.Target, row.Name)
	require.NotEmpty(t, row.Unit, row.Name)
	require.NotEmpty(t, row.Details, row.Name)
	for name, figure := range map[string]float64{"ours": row.Ours, "theirs": row.Theirs, "ratio": row.Ratio, "least": row.Spread[0]} {
		require.Greater(t, figure, 0.0, "%s: %s", row.Name, name)
	}
	require.LessOrEqual(t, row.Spread[0], row.Spread[1], row.Name)
	for name, figure := range row.Details {
		require.False(t, math.IsNaN(figure) || math.IsInf(figure, 0), "%s: %s is %v", row.Name, name, figure)
	}
}

func TestOnlyTheRowsAskedFor(t *testing.T) {
	t.Parallel()
	cluster, options := clusterOf(t), tiny()
	options.Rows = []string{"growth", "list"}
	report, err := bench.Run(t.Context(), cluster, options, nil)
	require.NoError(t, err)
	requireEmpty(t, cluster)
	require.Len(t, report.Rows, 2)
	require.Equal(t, "list", report.Rows[0].Name, "rows come in the table's order")
	require.Equal(t, "growth", report.Rows[1].Name)
}

// An interrupt removes everything too, whenever it comes.
func TestInterruptedRunLeavesNothing(t *testing.T) {
	t.Parallel()
	for _, row := range bench.RowNames() {
		t.Run(row, func(t *testing.T) {
			t.Parallel()
			cluster, options := clusterOf(t), tiny()
			options.Rows = []string{row}
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			report, err := bench.Run(ctx, cluster, options, func(p bench.Progress) {
				if p.Doing == row {
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
	cluster, options := clusterOf(t), tiny()
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

// What could not be removed is named, beside what went wrong.
func TestLeftKeysAreNamed(t *testing.T) {
	t.Parallel()
	cluster := clusterOf(t)
	refusing := clientv3.NewCtxClient(t.Context())
	refusing.KV, refusing.Watcher = refusingDeletes{cluster.Client.KV}, cluster.Client.Watcher
	guarded := cluster
	guarded.Client = refusing
	options := tiny()
	options.Rows = []string{"get-rate"}
	report, err := bench.Run(t.Context(), guarded, options, nil)
	require.Len(t, report.Rows, 1, "the run itself went well")
	var leftover *bench.LeftoverError
	require.ErrorAs(t, err, &leftover)
	require.ErrorIs(t, err, errRefused)
	require.ErrorContains(t, err, leftover.Prefix)

	left, err := cluster.Client.Get(t.Context(), leftover.Prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
	require.NoError(t, err)
	require.NotZero(t, left.Count, "the prefix that is named must be the one with the keys")
}

var errRefused = errors.New("deletes are refused")

// refusingDeletes is a KV that deletes nothing.
type refusingDeletes struct{ clientv3.KV }

func (refusingDeletes) Delete(context.Context, string, ...clientv3.OpOption) (*clientv3.DeleteResponse, error) {
	return nil, errRefused
}

func TestBadOptionsNameTheirFlags(t *testing.T) {
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

func TestSizesOfGrowth(t *testing.T) {
	t.Parallel()
	require.Equal(t, []int{200}, bench.SizesUpTo(200))
	require.Equal(t, []int{1000}, bench.SizesUpTo(1000))
	require.Equal(t, []int{1000, 10_000, 100_000}, bench.SizesUpTo(100_000))
	require.Equal(t, []int{1000, 10_000, 25_000}, bench.SizesUpTo(25_000))
}

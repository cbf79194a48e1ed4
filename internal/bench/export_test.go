package bench

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Contestants returns the two sides of a row, each to be called with b.N, on a
// store that is loaded. Everything is removed when the benchmark ends.
func Contestants(b *testing.B, cluster Cluster, options Options, name string) (ours, theirs func(*testing.B)) {
	b.Helper()
	ctx := b.Context()
	r := newRig(cluster, options, func(Progress) {})
	b.Cleanup(func() { require.NoError(b, r.close(context.WithoutCancel(ctx))) })
	require.NoError(b, r.open(ctx))
	require.NoError(b, r.load(ctx, options.Records))
	require.NoError(b, r.awaitReady(ctx))
	a, z, err := contestOf(name).sides(ctx, r)
	require.NoError(b, err)
	return a.benchmark, z.benchmark
}

// benchmark shares b.N calls among the workers.
func (s side) benchmark(b *testing.B) {
	var left atomic.Int64
	left.Store(int64(b.N))
	s.workers = s.workers[:min(len(s.workers), b.N)]
	left.Add(-int64(len(s.workers))) // each makes a first one unasked
	b.ReportAllocs()
	taken, err := s.run(b.Context(), b.ResetTimer, func() bool { return left.Add(-1) >= 0 })
	b.StopTimer()
	require.NoError(b, err)
	require.Equal(b, b.N, taken.latencies.count)
	b.ReportMetric(rate(&taken), "ops/s")
	b.ReportMetric(microseconds(taken.latencies.quantile(0.5)), "p50-µs")
	b.ReportMetric(p99(&taken), "p99-µs")
}

// Quantile records the durations and returns the quantile.
func Quantile(durations []time.Duration, q float64) time.Duration {
	var h histogram
	for _, d := range durations {
		h.record(d)
	}
	return h.quantile(q)
}

// SizesUpTo are the numbers of records at which growth is measured.
func SizesUpTo(records int) []int { return sizes(records) }

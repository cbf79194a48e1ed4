package bench

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Workloads returns the two workloads of a row as benchmarks, on a loaded store. It
// removes everything when the benchmark ends.
func Workloads(b *testing.B, cluster Cluster, options Options, name string) (measured, baseline func(*testing.B)) {
	b.Helper()
	ctx := b.Context()
	r := newRunner(cluster, options, func(Progress) {})
	b.Cleanup(func() { require.NoError(b, r.close(context.WithoutCancel(ctx))) })
	require.NoError(b, r.open(ctx))
	require.NoError(b, r.load(ctx, options.Records))
	require.NoError(b, r.waitForCache(ctx))
	first, second, err := comparisonByName(name).workloads(ctx, r)
	require.NoError(b, err)
	return first.benchmark, second.benchmark
}

// benchmark distributes b.N calls over the workers.
func (w workload) benchmark(b *testing.B) {
	var remaining atomic.Int64
	remaining.Store(int64(b.N))
	w.workers = w.workers[:min(len(w.workers), b.N)]
	remaining.Add(-int64(len(w.workers))) // each makes its first call unconditionally
	b.ReportAllocs()
	sample, err := w.run(b.Context(), measurement{ready: b.ResetTimer, more: func() bool { return remaining.Add(-1) >= 0 }})
	b.StopTimer()
	require.NoError(b, err)
	require.Equal(b, b.N, sample.latencies.count)
	b.ReportMetric(float64(sample.latencies.count)/sample.elapsed.Seconds(), "ops/s")
	b.ReportMetric(microseconds(sample.latencies.quantile(0.5)), "p50-µs")
	b.ReportMetric(microseconds(sample.latencies.quantile(0.99)), "p99-µs")
}

// Quantile records the durations and returns the quantile.
func Quantile(durations []time.Duration, q float64) time.Duration {
	var h histogram
	for _, d := range durations {
		h.record(d)
	}
	return h.quantile(q)
}

// GrowthSizes returns the numbers of records at which growth is measured.
func GrowthSizes(records int) []int { return growthSizes(records) }

// ContinueOf returns the token of the next page.
func ContinueOf(body []byte) (string, error) { return continueOf(body) }

// comparisonByName returns the comparison with the name.
func comparisonByName(name string) comparison {
	all := comparisons()
	return all[slices.IndexFunc(all, func(c comparison) bool { return c.name == name })]
}

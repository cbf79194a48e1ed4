package bench_test

import (
	"testing"

	"galaxy/rtmanager/internal/bench"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// The rows of `rtmanager bench` as Go benchmarks, on a small store, by the same
// code:
//
//	go test -run '^$' -bench UpdateLatency -cpuprofile cpu.out ./internal/bench
func BenchmarkUpdateLatency(b *testing.B) { benchmark(b, "update-latency") }
func BenchmarkUpdateRate(b *testing.B)    { benchmark(b, "update-rate") }
func BenchmarkGetRate(b *testing.B)       { benchmark(b, "get-rate") }
func BenchmarkList(b *testing.B)          { benchmark(b, "list") }
func BenchmarkListByStatus(b *testing.B)  { benchmark(b, "list-by-status") }
func BenchmarkWatchLatency(b *testing.B)  { benchmark(b, "watch-latency") }

// benchmark runs both workloads of a row: store is the measured one, bare the baseline.
func benchmark(b *testing.B, row string) {
	client := etcdtest.InProcess(b)
	cluster := bench.Cluster{Client: client, WatchClient: client, Prefix: etcdtest.Prefix(b)}
	options := bench.Default()
	options.Records = 5000
	measured, baseline := bench.Workloads(b, cluster, options, row)
	b.Run("store", measured)
	b.Run("bare", baseline)
}

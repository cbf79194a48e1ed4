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

// benchmark runs both sides of a row: store is ours, bare the other.
func benchmark(b *testing.B, row string) {
	client := etcdtest.InProcess(b)
	cluster := bench.Cluster{Client: client, WatchClient: client, Prefix: etcdtest.Prefix(b)}
	options := bench.Default()
	options.Records = 5000
	ours, theirs := bench.Contestants(b, cluster, options, row)
	b.Run("store", ours)
	b.Run("bare", theirs)
}

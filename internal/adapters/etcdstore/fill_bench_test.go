package etcdstore_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// fillRecordsVariable is the environment variable with the number of records of BenchmarkFill.
const fillRecordsVariable = "RTMANAGER_TEST_FILL_RECORDS"

// BenchmarkFill opens a store on an etcd with many records and waits until it is ready. CPU time
// and heap are those of the process, so with an embedded etcd they include its share.
//
//	RTMANAGER_TEST_FILL_RECORDS=1000000 go test -run '^$' -bench Fill -benchtime 3x ./internal/adapters/etcdstore
func BenchmarkFill(b *testing.B) {
	records := 10_000
	if text, isSet := os.LookupEnv(fillRecordsVariable); isSet {
		var err error
		records, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	server := etcdtest.Start(b, etcdtest.Quota(16<<30))
	prefix := etcdtest.Prefix(b)
	loadRecords(b, server.InProcess(), prefix, records)
	for _, link := range []struct {
		name   string
		client *clientv3.Client
	}{{"inprocess", server.InProcess()}, {"tcp", server.Client()}} {
		b.Run("etcd="+link.name, func(b *testing.B) { benchmarkFill(b, link.client, prefix, records) })
	}
}

func benchmarkFill(b *testing.B, client *clientv3.Client, prefix string, records int) {
	b.ReportAllocs()
	var cpu time.Duration
	var heap float64
	for b.Loop() {
		b.StopTimer()
		heapBefore := heapAfterGC()
		cpuBefore := processCPU(b)
		b.StartTimer()
		store, err := etcdstore.Open(b.Context(), client, etcdstore.Options{Prefix: prefix})
		require.NoError(b, err)
		require.NoError(b, store.Ready(b.Context()))
		b.StopTimer()
		cpu += processCPU(b) - cpuBefore
		require.Equal(b, records, store.CacheStats().Records)
		heap = heapAfterGC() - heapBefore
		require.NoError(b, store.Close())
		b.StartTimer()
	}
	perRecord := float64(records)
	b.ReportMetric(cpu.Seconds()/float64(b.N), "cpu-s/op")
	b.ReportMetric(cpu.Seconds()*1e6/float64(b.N)/perRecord, "cpu-µs/record")
	b.ReportMetric(heap/perRecord, "heap-B/record")
}

// loadRecords writes records, with index keys and ledger entries of the same size as those of
// the store, in large transactions.
func loadRecords(b *testing.B, client *clientv3.Client, prefix string, records int) {
	b.Helper()
	const recordsPerTxn = 40
	var group errgroup.Group
	group.SetLimit(8)
	for from := 0; from < records; from += recordsPerTxn {
		group.Go(func() error {
			var puts []clientv3.Op
			for i := from; i < min(from+recordsPerTxn, records); i++ {
				puts = append(puts, loadedKeys(b, prefix, i)...)
			}
			_, err := client.Txn(b.Context()).Then(puts...).Commit()
			return err
		})
	}
	require.NoError(b, group.Wait())
}

func loadedKeys(b *testing.B, prefix string, i int) []clientv3.Op {
	keys := layout.NewKeys(prefix)
	game := fmt.Sprintf("game-%07d", i)
	now := time.Now().UTC()
	rec := runtime.RuntimeRecord{
		GameID: game, Status: runtime.StatusRunning, Region: "eu-west", Node: "node-eu-west-01",
		CurrentContainerID: fmt.Sprintf("%x", sha256.Sum256([]byte(game))),
		CurrentImageRef:    "registry.example/games/engine:1.4.2",
		EngineEndpoint:     "http://10.0.0.1:7777", StatePath: "/var/lib/games/" + game, DockerNetwork: "games",
		Generation: 1, CreatedAt: now, LastOpAt: now, StartedAt: &now,
	}
	write := layout.LastWrite{OperationID: uuid.NewString(), Seq: 1, Kind: layout.WriteUpsert}
	value, err := layout.EncodeRecord(layout.StoredRecord{RuntimeRecord: rec, LastWrite: write})
	require.NoError(b, err)
	return []clientv3.Op{
		clientv3.OpPut(keys.Record(game), string(value)),
		clientv3.OpPut(keys.StatusIndexKey(rec.Status, game), rec.CurrentContainerID),
		clientv3.OpPut(keys.LedgerEntry(game, 1), string(value[:200])),
	}
}

func heapAfterGC() float64 {
	goruntime.GC()
	goruntime.GC()
	var stats goruntime.MemStats
	goruntime.ReadMemStats(&stats)
	return float64(stats.HeapAlloc)
}

// processCPU returns the CPU time of this process.
func processCPU(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

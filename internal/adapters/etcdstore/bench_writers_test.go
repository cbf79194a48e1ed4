package etcdstore_test

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// writersInFlight is how many writers the benchmark has, each with a game of its own.
const writersInFlight = 256

// BenchmarkManyWriters compares UpdateStatus by many writers with as many bare etcd
// transactions, each with the same compares and puts.
//
//	go test -run '^$' -bench ManyWriters -count 6 ./internal/adapters/etcdstore
func BenchmarkManyWriters(b *testing.B) {
	for _, link := range []struct {
		name   string
		client func(testing.TB) *clientv3.Client
	}{{"tcp", etcdtest.Client}, {"inprocess", etcdtest.InProcess}} {
		b.Run("store="+link.name, func(b *testing.B) { benchmarkManyStore(b, link.client(b), etcdstore.Options{}) })
		b.Run("singly="+link.name, func(b *testing.B) {
			benchmarkManyStore(b, link.client(b), etcdstore.Options{NoGroupCommit: true})
		})
		b.Run("bare="+link.name, func(b *testing.B) { benchmarkManyBare(b, link.client(b)) })
	}
}

func benchmarkManyStore(b *testing.B, client *clientv3.Client, opts etcdstore.Options) {
	opts.Prefix = etcdtest.Prefix(b)
	store, err := etcdstore.Open(b.Context(), client, opts)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, store.Close()) })
	runWriters(b, func(game string) func(context.Context) error {
		require.NoError(b, store.Upsert(b.Context(), runningRecord(game)))
		input := ports.UpdateStatusInput{GameID: game, ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: "container-1", To: runtime.StatusStopped, Now: time.Now()}
		return func(ctx context.Context) error {
			err := store.UpdateStatus(ctx, input)
			input.ExpectedFrom, input.To = input.To, input.ExpectedFrom
			return err
		}
	})
}

func benchmarkManyBare(b *testing.B, client *clientv3.Client) {
	prefix := etcdtest.Prefix(b)
	store, err := etcdstore.Open(b.Context(), client, etcdstore.Options{Prefix: prefix})
	require.NoError(b, err)
	defer func() { require.NoError(b, store.Close()) }()
	runWriters(b, func(game string) func(context.Context) error {
		require.NoError(b, store.Upsert(b.Context(), runningRecord(game)))
		t := newBareTransition(b, client, prefix, game)
		return t.send
	})
}

// runWriters divides b.N calls among the writers, each for a game of its own.
func runWriters(b *testing.B, writer func(game string) func(context.Context) error) {
	writers := make([]func(context.Context) error, writersInFlight)
	for i := range writers {
		writers[i] = writer(fmt.Sprintf("game-%03d", i))
	}
	var callerErr atomic.Int64
	callerErr.Store(int64(b.N))
	var running sync.WaitGroup
	b.ReportAllocs()
	b.ResetTimer()
	for _, write := range writers {
		running.Go(func() {
			for callerErr.Add(-1) >= 0 {
				if err := write(b.Context()); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	running.Wait()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "updates/s")
}

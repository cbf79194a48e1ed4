package cleanup_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	goruntime "runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/fakeengine"
	"galaxy/rtmanager/internal/workers/cleanup"
)

// finishedGamesVariable is the environment variable with the number of finished games.
const finishedGamesVariable = "RTMANAGER_TEST_FINISHED_GAMES"

// finishedGames returns the number of finished games: 3000, because 100 000 take minutes.
func finishedGames(t *testing.T) int {
	t.Helper()
	text, isSet := os.LookupEnv(finishedGamesVariable)
	if !isSet {
		return 3000
	}
	count, err := strconv.Atoi(text)
	require.NoError(t, err)
	return count
}

// storeSize is what games cost.
type storeSize struct {
	keys    int64 // without the deletion epochs; there are at most 256
	records int   // of the cache
	inUse   int64 // bytes of etcd's database
	file    int64 // bytes of its file
	heap    int64 // bytes of this process, which contains etcd and the store
}

// sizedStore is a store on an etcd of its own, whose size can be measured.
type sizedStore struct {
	*etcdstore.Store

	t      *testing.T
	server *etcdtest.Server
	etcd   *clientv3.Client
}

func newSizedStore(t *testing.T) *sizedStore {
	t.Helper()
	server := etcdtest.Start(t)
	s := &sizedStore{t: t, server: server, etcd: server.Client()}
	store, err := etcdstore.Open(t.Context(), s.etcd, etcdstore.Options{Prefix: "/games"})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	require.NoError(t, store.Ready(t.Context()))
	s.Store = store
	return s
}

// measure compacts etcd, and returns the size of the store.
func (s *sizedStore) measure(name string) storeSize {
	s.t.Helper()
	ctx := s.t.Context()
	count := func(prefix string) *clientv3.GetResponse {
		found, err := s.etcd.Get(ctx, prefix, clientv3.WithPrefix(), clientv3.WithCountOnly())
		require.NoError(s.t, err)
		return found
	}
	all, epochs := count("/games/"), count("/games/meta/deletion-epochs/")
	_, err := s.etcd.Compact(ctx, all.Header.GetRevision(), clientv3.WithCompactPhysical())
	if !errors.Is(err, rpctypes.ErrCompacted) { // by an earlier measurement
		require.NoError(s.t, err)
	}
	var status *clientv3.StatusResponse
	require.Eventually(s.t, func() bool { // pages are free once the compaction is committed
		before := status
		status, err = s.etcd.Status(ctx, s.server.Endpoint())
		require.NoError(s.t, err)
		return before != nil && before.DbSizeInUse == status.DbSizeInUse
	}, time.Minute, 500*time.Millisecond)
	goruntime.GC()
	var memory goruntime.MemStats
	goruntime.ReadMemStats(&memory)
	size := storeSize{
		keys: all.Count - epochs.Count, records: s.CacheStats().Records,
		inUse: status.DbSizeInUse, file: status.DbSize, heap: int64(memory.HeapAlloc),
	}
	s.t.Logf("%-24s %7d keys, %6d records, %6.1f MB in use of %6.1f MB, %6.1f MB of heap", name, size.keys, size.records,
		float64(size.inUse)/1e6, float64(size.file)/1e6, float64(size.heap)/1e6)
	return size
}

// fill inserts games that have run and were removed at the time: each with its record, its index
// key, two entries of its ledger, its intent with two outcomes, and the index of their ids.
func (s *sizedStore) fill(name string, count int, removedAt time.Time) {
	s.t.Helper()
	group, ctx := errgroup.WithContext(s.t.Context())
	group.SetLimit(400)
	for i := range count {
		group.Go(func() error { return s.finishGame(ctx, fmt.Sprintf("%s-%06d", name, i), removedAt) })
	}
	require.NoError(s.t, group.Wait())
}

func (s *sizedStore) finishGame(ctx context.Context, gameID string, removedAt time.Time) error {
	startedAt := removedAt.Add(-time.Hour)
	containerID := fmt.Sprintf("%064x", gameID)[:64]
	_, err := s.Put(ctx, ports.PutInput{Record: runtime.RuntimeRecord{
		GameID: gameID, Status: runtime.StatusRunning, Region: "eu", Node: "n1", CurrentContainerID: containerID,
		CurrentImageRef: "registry.example.com/games/engine:1.4.2", StatePath: "/var/lib/games/" + gameID, Generation: 1,
		Labels: map[string]string{"env": "prod", "mode": "ranked"}, CreatedAt: startedAt, LastOpAt: startedAt, StartedAt: &startedAt,
	}})
	if err != nil {
		return err
	}
	outcome := func(kind operation.Kind) operation.Outcome {
		return operation.Outcome{OperationID: operation.NewID(), Kind: kind, Region: "eu", Node: "n1", StartedAt: startedAt, FinishedAt: removedAt}
	}
	_, err = s.PutIntent(ctx, operation.Intent{
		GameID: gameID, DesiredStatus: runtime.StatusStopped, Spec: operation.Spec{Image: "registry.example.com/games/engine:1.4.2"},
		Recent: []operation.Outcome{outcome(operation.KindCleanup), outcome(operation.KindStart)},
	}, ports.IntentVersion{})
	if err != nil {
		return err
	}
	return s.UpdateStatus(ctx, ports.UpdateStatusInput{
		GameID: gameID, ExpectedFrom: runtime.StatusRunning, ExpectedContainerID: containerID, To: runtime.StatusRemoved, Now: removedAt,
	})
}

// activateAlarm makes etcd reject every transaction with a put, as at its quota.
func (s *sizedStore) activateAlarm() {
	s.t.Helper()
	_, err := etcdserverpb.NewMaintenanceClient(s.etcd.ActiveConnection()).Alarm(s.t.Context(), &etcdserverpb.AlarmRequest{
		Action: etcdserverpb.AlarmRequest_ACTIVATE, Alarm: etcdserverpb.AlarmType_NOSPACE,
	})
	require.NoError(s.t, err)
}

// countDeleted counts the deleted events of the games with the prefix until there are count.
func (s *sizedStore) countDeleted(prefix string, count int) (wait func() int) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	synced, done := make(chan struct{}), make(chan int, 1)
	go func() {
		deleted := 0
		defer func() { done <- deleted }()
		for event, err := range s.Watch(ctx, ports.WatchOptions{RecordFilter: ports.RecordFilter{GamePrefix: prefix}}) {
			if err != nil {
				return
			}
			if event.Type == ports.EventSynced {
				close(synced)
			}
			if event.Type == ports.EventDeleted {
				deleted++
			}
			if deleted == count {
				return
			}
		}
	}()
	<-synced
	return func() int {
		s.t.Helper()
		defer cancel()
		select {
		case deleted := <-done:
			return deleted
		case <-time.After(time.Minute):
			cancel()
			return <-done
		}
	}
}

// A store that was full of finished games has its former size after retention has deleted them:
// keys, cache, memory and space in etcd. The second half is deleted while etcd accepts no puts.
func TestAStoreReturnsToItsFormerSize(t *testing.T) {
	count := finishedGames(t)
	s := newSizedStore(t)
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	worker := cleanup.NewRetention(cleanup.RetentionDependencies{
		Store: s.Store, Engine: fakeengine.New().Engine(fakeengine.Owner{Store: "s", Region: "eu", Node: "n1"}),
		Nodes: &registry{}, IsBraked: func() bool { return false },
	}, cleanup.RetentionConfig{Region: "eu", Node: "n1", Retention: retention, Rate: 1_000_000, Clock: func() time.Time { return now }})
	s.fill("recent", 100, now)
	before := s.measure("before")

	start := time.Now()
	s.fill("old", count/2, now.Add(-retention))
	s.fill("later", count/2, now.Add(-retention).Add(time.Hour))
	t.Logf("%d games filled in %s", count, time.Since(start).Round(time.Millisecond))
	full := s.measure("full")
	require.Equal(t, before.keys+7*int64(count/2)*2, full.keys)

	pass := func(prefix string) {
		t.Helper()
		deleted := s.countDeleted(prefix, count/2)
		start := time.Now()
		got, err := worker.Pass(t.Context())
		require.NoError(t, err)
		require.Equal(t, count/2, got)
		t.Logf("%d games deleted in %s", got, time.Since(start).Round(time.Millisecond))
		require.Equal(t, count/2, deleted(), "every deletion is an event")
	}
	pass("old-")
	s.activateAlarm()
	now = now.Add(time.Hour)
	_, err := s.Put(t.Context(), ports.PutInput{Record: runtime.RuntimeRecord{
		GameID: "new", Status: runtime.StatusRemoved, CreatedAt: now, LastOpAt: now, RemovedAt: &now,
	}})
	require.ErrorIs(t, err, runtime.ErrReadOnly)
	pass("later-")

	require.Eventually(t, func() bool { return s.CacheStats().Records == 100 }, time.Minute, 10*time.Millisecond)
	after := s.measure("after")
	require.Equal(t, before.keys, after.keys)
	require.Equal(t, before.records, after.records)
	require.Less(t, after.inUse, before.inUse+(full.inUse-before.inUse)/20+1<<20, "space that etcd uses")
	_, err = s.etcd.Defragment(t.Context(), s.server.Endpoint())
	require.NoError(t, err)
	require.Less(t, s.measure("after defragmentation").file, full.file/2+2<<20)
	report, err := s.Check(t.Context(), false)
	require.NoError(t, err)
	require.Empty(t, report.Findings)
}

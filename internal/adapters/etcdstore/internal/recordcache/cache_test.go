package recordcache_test

import (
	"context"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var (
	keys  = layout.NewKeys("/eu")
	start = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
)

// kvOf returns a record's key and value as of the revision.
func kvOf(t *testing.T, gameID string, status runtime.Status, node string, revision int64) *mvccpb.KeyValue {
	t.Helper()
	value, err := layout.EncodeRecord(layout.StoredRecord{RuntimeRecord: runtime.RuntimeRecord{
		GameID: gameID, Status: status, Region: "eu", Node: node, CurrentContainerID: "c",
		CreatedAt: start, LastOpAt: start, StartedAt: &start,
	}})
	require.NoError(t, err)
	return &mvccpb.KeyValue{Key: []byte(keys.Record(gameID)), Value: value, CreateRevision: 1, ModRevision: revision}
}

func put(kv *mvccpb.KeyValue) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypePut, Kv: kv}
}

func deletion(gameID string, revision int64) *clientv3.Event {
	return &clientv3.Event{Type: clientv3.EventTypeDelete, Kv: &mvccpb.KeyValue{Key: []byte(keys.Record(gameID)), ModRevision: revision}}
}

// newCache returns a cache at revision 10, with games "a" and "b" running on n1 and n2.
func newCache(t *testing.T) *recordcache.Cache {
	t.Helper()
	records := recordcache.NewIndexes()
	records.AddAll(keys, []*mvccpb.KeyValue{kvOf(t, "a", runtime.StatusRunning, "n1", 8), kvOf(t, "b", runtime.StatusRunning, "n2", 9)})
	records.Revision = 10
	cache := recordcache.New(keys)
	cache.Fill(records)
	return cache
}

func discard([]recordcache.Change, int64) {}

func gamesOf(page ports.Page, err error) []string {
	ids := []string{}
	if err != nil {
		panic(err)
	}
	for _, rec := range page.Records {
		ids = append(ids, rec.Record.GameID)
	}
	return ids
}

func TestApplyMovesRecordsBetweenIndexes(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	var published []recordcache.Change
	cache.Apply([]*clientv3.Event{
		put(kvOf(t, "a", runtime.StatusStopped, "n2", 11)), put(kvOf(t, "c", runtime.StatusRunning, "n1", 11)), deletion("b", 12), deletion("absent", 12),
	}, 12, func(changes []recordcache.Change, position int64) {
		published = changes
		require.EqualValues(t, 12, position)
	})
	require.Len(t, published, 3, "the deletion of an absent game is no change")
	require.Equal(t, runtime.StatusRunning, published[0].Before.Status)
	require.Equal(t, runtime.StatusStopped, published[0].After.Status)
	require.Nil(t, published[1].Before)
	require.Nil(t, published[2].After)

	now := cache.Snapshot()
	require.EqualValues(t, 12, now.Revision)
	for _, c := range []struct {
		filter ports.RecordFilter
		want   []string
	}{
		{ports.RecordFilter{}, []string{"a", "c"}},
		{ports.FilterByStatus(runtime.StatusStopped), []string{"a"}},
		{ports.FilterByStatus(runtime.StatusRunning), []string{"c"}},
		{ports.RecordFilter{Nodes: []string{"n1"}}, []string{"c"}},
		{ports.RecordFilter{Nodes: []string{"n2"}}, []string{"a"}},
		{ports.RecordFilter{Nodes: []string{"n2", "n1"}}, []string{"a", "c"}},
		{ports.RecordFilter{Regions: []string{"eu"}}, []string{"a", "c"}},
		{ports.RecordFilter{Regions: []string{"us"}}, []string{}},
	} {
		require.Equal(t, c.want, gamesOf(now.Page(ports.PageQuery{Limit: 9, RecordFilter: c.filter})), "%+v", c.filter)
	}
}

func TestSnapshotDoesNotChange(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	before := cache.Snapshot()
	cache.Apply([]*clientv3.Event{deletion("a", 11)}, 11, discard)
	require.Equal(t, []string{"a", "b"}, gamesOf(before.Page(ports.PageQuery{Limit: 9})))
	require.Equal(t, []string{"b"}, gamesOf(cache.Snapshot().Page(ports.PageQuery{Limit: 9})))
}

func TestPagesContinueAfterTheLastRecord(t *testing.T) {
	t.Parallel()
	records := recordcache.NewIndexes()
	for n := range 25 {
		records.AddAll(keys, []*mvccpb.KeyValue{kvOf(t, fmt.Sprintf("game-%02d", n), runtime.StatusRunning, "n1", 5)})
	}
	records.AddAll(keys, []*mvccpb.KeyValue{{Key: []byte(keys.Record("game-05")), Value: []byte("garbage"), ModRevision: 6}})
	var games []string
	var corrupt []*runtime.CorruptError
	query := ports.PageQuery{Limit: 10, RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning}}}
	for {
		page, err := records.Page(query)
		games, corrupt = append(games, gamesOf(page, err)...), append(corrupt, page.Corrupt...)
		if page.Next == "" {
			break
		}
		query.After = page.Next
	}
	require.Len(t, games, 24)
	require.Len(t, corrupt, 1)
	require.Equal(t, "game-05", corrupt[0].GameID)
	listed, errs := records.List(runtime.StatusRunning)
	require.Len(t, listed, 24)
	require.Len(t, errs, 1)
}

func writeBase(cache *recordcache.Cache, gameID string) *layout.Record {
	rec, _, _ := cache.WriteBase(gameID)
	return rec
}

func TestWriteBasePrefersPendingWrites(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	require.EqualValues(t, 8, writeBase(cache, "a").ModRevision)
	require.Nil(t, writeBase(cache, "absent"))

	rec, err := keys.DecodeRecord(kvOf(t, "a", runtime.StatusStopped, "n1", 11))
	require.NoError(t, err)
	cache.AddWrite(*rec, cache.Begin())
	require.EqualValues(t, 11, writeBase(cache, "a").ModRevision)
	found, asOf, _ := cache.Get("a")
	require.EqualValues(t, 8, found.ModRevision, "readers see all games at one revision")
	require.EqualValues(t, 10, asOf)

	cache.Apply([]*clientv3.Event{put(kvOf(t, "a", runtime.StatusRunning, "n1", 12))}, 12, discard)
	require.EqualValues(t, 12, writeBase(cache, "a").ModRevision, "the watch has reported a newer one")
	cache.AddWrite(*rec, cache.Begin())
	require.EqualValues(t, 12, writeBase(cache, "a").ModRevision, "the watch has passed its revision")

	cache.SetWatchHealthy(false)
	require.Nil(t, writeBase(cache, "a"))
	cache.Reset()
	cache.AddWrite(*rec, cache.Begin())
	require.Nil(t, writeBase(cache, "a"))
}

func TestWaitUntilFresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		cache := newCache(t)
		noProgress := func(bool) { t.Error("progress requested") }
		require.True(t, cache.WaitUntilFresh(t.Context(), 10, time.Second, noProgress))

		requested := 0
		progress := func(isRetry bool) {
			requested++
			require.False(t, isRetry)
			cache.Apply(nil, 15, discard)
		}
		require.True(t, cache.WaitUntilFresh(t.Context(), 15, time.Second, progress))
		require.Equal(t, 1, requested)

		var retries []bool
		dropped := func(isRetry bool) {
			if retries = append(retries, isRetry); len(retries) == 3 {
				cache.Apply(nil, 16, discard)
			}
		}
		require.True(t, cache.WaitUntilFresh(t.Context(), 16, time.Second, dropped), "etcd drops the first two requests")
		require.Equal(t, []bool{false, true, true}, retries)

		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		require.False(t, cache.WaitUntilFresh(ctx, 20, time.Second, func(bool) {}), "the caller's context ends")
		require.True(t, cache.IsUsable())

		begin := time.Now()
		require.False(t, cache.WaitUntilFresh(t.Context(), 20, time.Second, func(bool) {}))
		require.Equal(t, time.Second, time.Since(begin))
		require.False(t, cache.IsUsable(), "it exceeded the timeout")
		require.False(t, cache.WaitUntilFresh(t.Context(), 20, time.Second, noProgress), "without a wait")
		cache.Apply(nil, 20, discard)
		require.True(t, cache.IsUsable())
	})
}

// A list that started before etcd was restored must not serve its records at the same revision
// of the restored history.
func TestSnapshotOfAnEarlierFillIsNotRetained(t *testing.T) {
	t.Parallel()
	cache, log := newCache(t), recordcache.NewEventLog(8)
	before := cache.Snapshot()
	cache.Reset()
	restored := recordcache.NewIndexes()
	restored.AddAll(keys, []*mvccpb.KeyValue{kvOf(t, "c", runtime.StatusRunning, "n1", 9)})
	restored.Revision = 10
	log.Start(10)
	cache.Fill(restored)
	cache.Retain(before)
	require.Equal(t, []string{"c"}, gamesOf(cache.SnapshotAt(10, log).Page(ports.PageQuery{Limit: 9})))
}

// kvOfWrite returns a record whose last write has the operation id and the number. The first one
// created it.
func kvOfWrite(t *testing.T, gameID, operationID string, seq, revision int64) *mvccpb.KeyValue {
	t.Helper()
	value, err := layout.EncodeRecord(layout.StoredRecord{
		RuntimeRecord: runtime.RuntimeRecord{GameID: gameID, Status: runtime.StatusRunning, CurrentContainerID: "c", CreatedAt: start, LastOpAt: start, StartedAt: &start},
		LastWrite:     layout.LastWrite{OperationID: operationID, Seq: seq, Kind: layout.WriteUpsert},
	})
	require.NoError(t, err)
	created := revision
	if seq > 1 {
		created = 1
	}
	return &mvccpb.KeyValue{Key: []byte(keys.Record(gameID)), Value: value, CreateRevision: created, ModRevision: revision}
}

// A write of an earlier history that arrives late must not hide the operation ids of the write
// that has the same revision in the restored history.
func TestOperationsOfAnotherHistoryExcludeNothing(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	late, err := keys.DecodeRecord(kvOfWrite(t, "g", "op-before", 1, 12))
	require.NoError(t, err)
	cache.AddWrite(*late, cache.Begin())
	require.True(t, cache.ExcludesOperation(late, "op-after"))
	cache.Apply([]*clientv3.Event{put(kvOfWrite(t, "g", "op-after", 1, 12))}, 12, discard)
	current := writeBase(cache, "g")
	require.Equal(t, "op-after", current.LastWrite.OperationID)
	require.False(t, cache.ExcludesOperation(current, "op-after"))
	require.False(t, cache.ExcludesOperation(current, "op-other"), "its earlier writes are not known")
}

// TestLateResponseOfAnotherHistory adds what requests return that started before a restore. The
// restored history reaches their revisions by other writes.
func TestLateResponseOfAnotherHistory(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	since := cache.Begin()
	restored := recordcache.NewIndexes()
	restored.AddAll(keys, []*mvccpb.KeyValue{kvOfWrite(t, "a", "op-1", 1, 3)})
	restored.Revision = 7
	cache.Reset()
	cache.Fill(restored)

	lost, err := keys.DecodeRecord(kvOfWrite(t, "a", "op-lost", 2, 12))
	require.NoError(t, err)
	cache.AddWrite(*lost, since)
	require.EqualValues(t, 3, writeBase(cache, "a").ModRevision)
	cache.AddLedger(lost, []string{"op-1", "op-lost"}, since)
	cache.Apply([]*clientv3.Event{put(kvOfWrite(t, "a", "op-2", 2, 11))}, 11, discard)
	require.Equal(t, "op-2", writeBase(cache, "a").LastWrite.OperationID)
	cache.Apply([]*clientv3.Event{put(kvOfWrite(t, "a", "op-3", 3, 13))}, 13, discard)
	require.False(t, cache.ExcludesOperation(writeBase(cache, "a"), "op-2"), "the ledger has it")

	cache.AddLedger(writeBase(cache, "a"), []string{"op-1", "op-2", "op-3"}, cache.Begin())
	require.True(t, cache.ExcludesOperation(writeBase(cache, "a"), "op-4"))
}

func TestContentsIdentifyTheRecords(t *testing.T) {
	t.Parallel()
	cache := recordcache.New(keys)
	cache.Fill(recordcache.NewIndexes())
	cache.Apply([]*clientv3.Event{put(kvOf(t, "a", runtime.StatusRunning, "n", 5))}, 5, discard)
	first := cache.Snapshot()
	require.True(t, first.Contents() == cache.Snapshot().Contents())
	cache.Apply(nil, 6, discard)
	later := cache.Snapshot()
	require.EqualValues(t, 6, later.Revision)
	require.True(t, first.Contents() == later.Contents(), "no record has changed")
	cache.Apply([]*clientv3.Event{put(kvOf(t, "a", runtime.StatusStopped, "n", 7))}, 7, discard)
	require.False(t, first.Contents() == cache.Snapshot().Contents())
}

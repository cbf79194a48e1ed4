package recordcache_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
)

// localWrite is a write of game "a" that stops it.
func localWrite(t *testing.T, cache *recordcache.Cache, operationID string) (*recordcache.LocalWrite, *mvccpb.KeyValue) {
	t.Helper()
	stored := layout.StoredRecord{
		RuntimeRecord: runtime.RuntimeRecord{GameID: "a", Status: runtime.StatusStopped, CurrentContainerID: "c", CreatedAt: start, LastOpAt: start, StoppedAt: &start},
		LastWrite:     layout.LastWrite{OperationID: operationID, Seq: 2, Kind: layout.WriteTransition},
	}
	value, err := layout.EncodeRecord(stored)
	require.NoError(t, err)
	w := cache.StartWrite(stored, value)
	require.NotNil(t, w)
	return w, &mvccpb.KeyValue{Key: []byte(keys.Record("a")), Value: value, CreateRevision: 1}
}

// applyChange applies a put and returns the change that it publishes.
func applyChange(cache *recordcache.Cache, kv *mvccpb.KeyValue, revision int64) (change recordcache.Change) {
	kv.ModRevision = revision
	cache.Apply([]*clientv3.Event{put(kv)}, revision, func(changes []recordcache.Change, _ int64) { change = changes[0] })
	return change
}

// TestLocalWriteIsReportedOnce reports writes of this process by the response and by the watch, in
// each order: both use the same record.
func TestLocalWriteIsReportedOnce(t *testing.T) {
	t.Parallel()
	t.Run("response first", func(t *testing.T) {
		t.Parallel()
		cache := newCache(t)
		w, kv := localWrite(t, cache, "op")
		rec := cache.FinishWrite(w, 1, 11)
		require.EqualValues(t, 11, rec.ModRevision)
		require.Same(t, rec, writeBase(cache, "a"))
		require.Same(t, rec, &applyChange(cache, kv, 11).After.Record)
		require.Same(t, rec, writeBase(cache, "a"))
	})
	t.Run("watch first", func(t *testing.T) {
		t.Parallel()
		cache := newCache(t)
		w, kv := localWrite(t, cache, "op")
		change := applyChange(cache, kv, 11)
		require.EqualValues(t, 11, change.After.ModRevision)
		require.EqualValues(t, 8, change.Before.ModRevision)
		require.Same(t, &change.After.Record, cache.FinishWrite(w, 1, 11))
		require.Same(t, &change.After.Record, writeBase(cache, "a"))
	})
	t.Run("the next write has started", func(t *testing.T) {
		t.Parallel()
		cache := newCache(t)
		first, kv := localWrite(t, cache, "op")
		rec := cache.FinishWrite(first, 1, 11)
		second, _ := localWrite(t, cache, "op-2")
		require.Same(t, rec, &applyChange(cache, kv, 11).After.Record)
		require.EqualValues(t, 12, cache.FinishWrite(second, 1, 12).ModRevision)
	})
}

// TestForeignWriteIsDecoded requires that the record of an own write is used only for its own
// value, and only while it is expected.
func TestForeignWriteIsDecoded(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	w, kv := localWrite(t, cache, "op")
	_, other := localWrite(t, newCache(t), "op-of-another-process")
	change := applyChange(cache, other, 11)
	require.Equal(t, "op-of-another-process", change.After.LastWrite.OperationID)
	cache.AbandonWrite(w)
	change = applyChange(cache, kv, 12)
	require.Equal(t, "op", change.After.LastWrite.OperationID)
	require.NotSame(t, &change.After.Record, cache.FinishWrite(w, 1, 12), "it was abandoned")

	// The same value at another revision: etcd was restored.
	w, kv = localWrite(t, cache, "op-3")
	require.EqualValues(t, 13, applyChange(cache, kv, 13).After.ModRevision)
	require.EqualValues(t, 20, cache.FinishWrite(w, 1, 20).ModRevision)
	require.EqualValues(t, 21, applyChange(cache, kv, 21).After.ModRevision)
	found, _, _ := cache.Get("a")
	require.EqualValues(t, 21, found.ModRevision)
}

// TestLocalRecordEqualsItsEncoding compares the record of an own write with the decoded value, for
// random records.
func TestLocalRecordEqualsItsEncoding(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	maybe := func() bool { return random.IntN(2) == 0 }
	at := func() time.Time {
		zone := time.FixedZone("", random.IntN(7200))
		return time.Unix(random.Int64N(1<<33), random.Int64N(1e9)).In(zone)
	}
	optional := func() *time.Time {
		if maybe() {
			return nil
		}
		value := at()
		return &value
	}
	for range 300 {
		rec := runtime.RuntimeRecord{
			GameID: "a", Status: runtime.Statuses()[random.IntN(3)], Region: "eu", CreatedAt: at(), LastOpAt: time.Now(),
			StartedAt: optional(), StoppedAt: optional(), RemovedAt: optional(), RequestCPUs: random.Float64(), Generation: random.Int64N(9),
			Condition: runtime.Condition{NodeLostAt: optional(), HealthSince: optional()},
		}
		if maybe() {
			rec.Labels, rec.Ports = map[string]string{}, []runtime.Port{}
		}
		if maybe() {
			rec.Labels, rec.Ports = map[string]string{"team": "a", "map": ""}, []runtime.Port{{Name: "game", ContainerPort: 1, Host: "h", Port: 2}}
		}
		stored := layout.StoredRecord{RuntimeRecord: rec.InUTC(), LastWrite: layout.LastWrite{OperationID: "op", Seq: 3, Kind: layout.WriteUpsert}}
		value, err := layout.EncodeRecord(stored)
		require.NoError(t, err)
		cache := newCache(t)
		w := cache.StartWrite(stored, value)
		kv := &mvccpb.KeyValue{Key: []byte(keys.Record("a")), Value: value, CreateRevision: 8, ModRevision: 12}
		decoded := recordcache.NewRecord(keys, kv)
		local := cache.FinishWrite(w, 8, 12)
		local.Schema = decoded.Schema
		require.Equal(t, decoded.Record, *local, "%s", value)
	}
}

// TestWritesWhoseRecordMayDiffer are not announced: their values are decoded.
func TestWritesWhoseRecordMayDiffer(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	require.Nil(t, cache.StartWrite(layout.StoredRecord{Unknown: []byte(`{"newer":1}`)}, nil))
	require.Nil(t, cache.StartWrite(layout.StoredRecord{RuntimeRecord: runtime.RuntimeRecord{Metadata: `{"a":1}`}}, nil))
	cache.AbandonWrite(nil)
	cache.Reset()
	require.Nil(t, cache.StartWrite(layout.StoredRecord{RuntimeRecord: runtime.RuntimeRecord{GameID: "a"}}, nil))
}

// TestWriteOfAnotherHistoryIsNoBase finishes a write after the cache was filled from a store whose
// revision went back.
func TestWriteOfAnotherHistoryIsNoBase(t *testing.T) {
	t.Parallel()
	cache := newCache(t)
	w, _ := localWrite(t, cache, "op-of-the-lost-history")
	cache.Reset()
	restored := recordcache.NewIndexes()
	restored.Revision = 7
	cache.Fill(restored)
	require.EqualValues(t, 200, cache.FinishWrite(w, 1, 200).ModRevision)
	require.Nil(t, writeBase(cache, "a"))
}

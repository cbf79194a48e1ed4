package etcdstore

import (
	"context"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
)

// PendingWrites returns the number of writes that wait for a batch.
func (s *Store) PendingWrites() int { return s.batcher.Pending() }

// ReadIndexWaiters returns the number of readers that wait for the next shared read.
func (s *Store) ReadIndexWaiters() int { return s.readIndexer.Waiters() }

// CheckConsistency compares the cache with etcd now.
func (s *Store) CheckConsistency(ctx context.Context) error { return s.reflector.checkConsistency(ctx) }

// RemoveFromCache removes a record from the cache, as an incorrect watch would.
func (s *Store) RemoveFromCache(gameID string) {
	s.applyToCache(&clientv3.Event{Type: clientv3.EventTypeDelete, Kv: &mvccpb.KeyValue{Key: []byte(s.keys.Record(gameID))}})
}

// PutIntoCache puts a record into the cache that etcd does not have, with the revisions of the
// cached one.
func (s *Store) PutIntoCache(rec runtime.RuntimeRecord) {
	var stored layout.StoredRecord
	kv := &mvccpb.KeyValue{Key: []byte(s.keys.Record(rec.GameID))}
	if current, _, _ := s.reflector.cache.Get(rec.GameID); current != nil {
		stored, kv.CreateRevision, kv.ModRevision = current.StoredRecord, current.CreateRevision, current.ModRevision
	}
	stored.RuntimeRecord = rec
	value, err := layout.EncodeRecord(stored)
	if err != nil {
		panic(err)
	}
	kv.Value = value
	s.applyToCache(&clientv3.Event{Type: clientv3.EventTypePut, Kv: kv})
}

func (s *Store) applyToCache(event *clientv3.Event) {
	cache := s.reflector.cache
	cache.Apply([]*clientv3.Event{event}, cache.Revision(), func([]recordcache.Change, int64) {})
}

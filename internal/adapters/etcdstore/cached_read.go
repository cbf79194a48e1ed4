package etcdstore

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// readRevision returns etcd's revision by one linearizable read. It invalidates the cache if
// that is older than the cache.
func (s *Store) readRevision(ctx context.Context) (int64, error) {
	seen := s.cachedRevision()
	revision, err := s.etcd.Revision(ctx, s.keys.Schema())
	if err == nil && revision < seen {
		err = etcd.RegressionError(revision, seen)
		s.reflector.invalidate(err)
	}
	return revision, err
}

// currentRevision returns etcd's revision by a linearizable read, with retries. It shares the
// read with other callers if there is a cache.
func (s *Store) currentRevision(ctx context.Context) (int64, error) {
	if s.readIndexer != nil {
		if revision, err := s.readIndexer.CurrentRevision(ctx); err == nil {
			return revision, nil
		}
	}
	resp, err := s.etcd.Get(ctx, s.keys.Schema(), clientv3.WithKeysOnly())
	if err != nil {
		return 0, err
	}
	return resp.Header.GetRevision(), nil
}

// cacheIsFresh waits until the cache can serve a linearizable read that started with the
// call: it has reached etcd's revision. It returns false if etcd must be read instead.
func (s *Store) cacheIsFresh(ctx context.Context) bool {
	if s.reflector == nil || ctx.Err() != nil {
		return false
	}
	if !s.reflector.cache.IsUsable() {
		s.counters.fallbacks.Add(1)
		return false
	}
	revision, err := s.readIndexer.CurrentRevision(ctx)
	if err == nil && s.reflector.waitUntilFresh(ctx, revision) {
		s.counters.cachedReads.Add(1)
		return true
	}
	s.counters.fallbacks.Add(1)
	return false
}

// getFromCache reads one record from the cache. It returns false for a record that is absent
// or corrupt there, which only etcd can confirm. It is called outside begin and end, which
// would double its cost: it leaves nothing that Close has to wait for.
func (s *Store) getFromCache(ctx context.Context, gameID string) (runtime.VersionedRecord, bool) {
	if !s.cacheIsFresh(ctx) {
		return runtime.VersionedRecord{}, false
	}
	record, _, isSynced := s.reflector.cache.Get(gameID)
	if !isSynced || record == nil || record.DecodeErr != nil {
		return runtime.VersionedRecord{}, false
	}
	return record.Versioned(), true
}

// freshSnapshot returns the records as of a revision not older than the call, nil if etcd must
// be read instead.
func (s *Store) freshSnapshot(ctx context.Context) *recordcache.Indexes {
	if !s.cacheIsFresh(ctx) {
		return nil
	}
	return s.reflector.cache.Snapshot()
}

// pageFromCache reads the first page of a list from the cache. The pages that follow have its
// revision, which only etcd can read.
func (s *Store) pageFromCache(ctx context.Context, query ports.PageQuery) (ports.Page, bool) {
	if s.reflector == nil || query.Revision != 0 || !query.Local && !s.cacheIsFresh(ctx) {
		return ports.Page{}, false
	}
	records := s.reflector.cache.Snapshot()
	if records == nil || query.Local && !s.reflector.servedLocally.Reached(records.Revision) {
		return ports.Page{}, false
	}
	return records.Page(query), true
}

// noteServedLocally records that a local read was served from etcd as of the revision.
func (s *Store) noteServedLocally(asOf int64) {
	if s.reflector != nil {
		s.reflector.servedLocally.Advance(asOf)
	}
}

// monotonicRevision is the newest revision at which local reads were served from etcd, while
// the cache was not usable. Later local reads from the cache must not be older.
type monotonicRevision struct{ newest atomic.Int64 }

// Reached reports whether a cache at the revision is not older.
func (m *monotonicRevision) Reached(revision int64) bool { return revision >= m.newest.Load() }

// Advance raises the newest revision to the given one.
func (m *monotonicRevision) Advance(revision int64) {
	for {
		newest := m.newest.Load()
		if revision <= newest || m.newest.CompareAndSwap(newest, revision) {
			return
		}
	}
}

// Reset drops the newest revision, which belonged to another history.
func (m *monotonicRevision) Reset() { m.newest.Store(0) }

package etcdstore

import (
	"context"
	"sync/atomic"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// readRevision returns etcd's revision by one linearizable read. It invalidates the cache if
// that is older than the cache.
func (s *Store) readRevision(ctx context.Context) (int64, error) {
	seen := s.cachedRevision()
	revision, err := s.reflector.readRevision(ctx, func(ctx context.Context) (int64, error) {
		return s.etcd.Revision(ctx, s.keys.Schema())
	})
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
// call: it has reached etcd's revision. It returns false if etcd must be read instead, and counts that.
func (s *Store) cacheIsFresh(ctx context.Context) bool {
	if s.reflector == nil || ctx.Err() != nil {
		return false
	}
	isFresh := s.waitUntilFresh(ctx)
	if !isFresh {
		s.counters.fallbacks.Add(1)
	}
	return isFresh
}

// waitUntilFresh is cacheIsFresh for a store with a cache, without the count.
func (s *Store) waitUntilFresh(ctx context.Context) bool {
	if !s.reflector.cache.IsUsable() {
		return false
	}
	if planted.Is(planted.UnconfirmedRead) {
		return true
	}
	revision, err := s.readIndexer.CurrentRevision(ctx)
	if err != nil || !s.reflector.waitUntilFresh(ctx, revision) {
		return false
	}
	s.counters.cachedReads.Add(1)
	return true
}

// getFromCache reads one record from the cache, and returns runtime.ErrNotFound for none: at
// the revision that the linearizable read has returned, etcd has none either. It returns false
// if etcd must be read instead. It is called outside begin and end, which would double its
// cost: it leaves nothing that Close has to wait for.
func (s *Store) getFromCache(ctx context.Context, gameID string) (found runtime.VersionedRecord, isServed bool, err error) {
	if !s.cacheIsFresh(ctx) {
		return runtime.VersionedRecord{}, false, nil
	}
	record, _, isSynced := s.reflector.cache.Get(gameID)
	if !isSynced || record != nil && record.DecodeErr != nil {
		return runtime.VersionedRecord{}, false, nil //nolint:nilerr // the caller reads etcd instead
	}
	found, err = record.Lookup(gameID)
	return found, true, err
}

// freshSnapshot returns the records as of a revision not older than the call, nil if etcd must
// be read instead.
func (s *Store) freshSnapshot(ctx context.Context) *recordcache.Indexes {
	if !s.cacheIsFresh(ctx) {
		return nil
	}
	return s.reflector.cache.Snapshot()
}

// pageFromCache reads a page from the records that the list is read at. It returns false if
// etcd must be read instead.
func (s *Store) pageFromCache(ctx context.Context, query ports.PageQuery) (page ports.Page, isServed bool, err error) {
	if s.reflector == nil {
		return ports.Page{}, false, nil
	}
	records := s.recordsOfList(ctx, query, s.cacheIsFresh)
	if records == nil {
		return ports.Page{}, false, nil
	}
	page, err = records.Page(query)
	if page.Next != "" {
		s.reflector.cache.Retain(records)
	}
	return page, true, err
}

// recordsOfList returns the records at the revision of a list, nil if only etcd can read them.
// The pages after the first need no request to etcd: a revision does not change any more. isFresh waits
// until the cache can serve a linearizable read.
func (s *Store) recordsOfList(ctx context.Context, query ports.PageQuery, isFresh func(context.Context) bool) *recordcache.Indexes {
	switch r := s.reflector; {
	case query.Revision != 0:
		return r.cache.SnapshotAt(query.Revision, r.eventLog)
	case !query.Local && query.MinRevision != 0 && r.cache.IsUsable() && r.waitUntilFresh(ctx, query.MinRevision):
		s.counters.cachedReads.Add(1)
		return r.cache.Snapshot()
	case !query.Local:
		if !isFresh(ctx) {
			return nil
		}
		return r.cache.Snapshot()
	default:
		records := r.cache.Snapshot()
		if records == nil || !r.servedLocally.Reached(records.Revision) {
			return nil
		}
		return records
	}
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

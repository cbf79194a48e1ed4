package etcdstore

import (
	"context"
	"sync/atomic"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// fresh reports whether the cache can answer a linearizable read that began with
// the call: it has then come as far as a consistent read of etcd. Where it
// reports false, etcd has to be asked itself.
func (s *Store) fresh(ctx context.Context) bool {
	if s.feed == nil || ctx.Err() != nil {
		return false
	}
	if _, _, filled, healthy := s.feed.cache.state(); !filled || !healthy {
		s.count.fallbacks.Add(1)
		return false
	}
	revision, err := s.barrier.wait(ctx)
	if err == nil && s.feed.reach(ctx, revision) {
		s.count.cached.Add(1)
		return true
	}
	s.count.fallbacks.Add(1)
	return false
}

// getCached answers a read of one record from the cache. A record that is absent
// there, or damaged, is left for etcd to speak of. It may be called outside begin
// and end, which would cost as much as all else that it does: it leaves nothing
// behind that Close would have to wait for.
func (s *Store) getCached(ctx context.Context, gameID string) (runtime.VersionedRecord, bool) {
	if !s.fresh(ctx) {
		return runtime.VersionedRecord{}, false
	}
	e, _, filled := s.feed.cache.get(gameID)
	if !filled || e == nil || e.fault != nil {
		return runtime.VersionedRecord{}, false
	}
	return e.Versioned(), true
}

// freshTrees returns the records as of a moment not before the call, nil where
// etcd has to be asked for them.
func (s *Store) freshTrees(ctx context.Context) *trees {
	if !s.fresh(ctx) {
		return nil
	}
	return s.feed.cache.snapshot()
}

// listCached answers a list of everything under the status, or all, from the
// cache.
func (s *Store) listCached(ctx context.Context, status runtime.Status) (records []runtime.RuntimeRecord, faults []error, ok bool) {
	now := s.freshTrees(ctx)
	if now == nil {
		return nil, nil, false
	}
	records, faults = now.list(status)
	return records, faults, true
}

// pageCached answers the first page of a list from the cache. Those that follow
// stand at its revision, which etcd has, or has forgotten.
func (s *Store) pageCached(ctx context.Context, query ports.PageQuery) (ports.Page, bool) {
	if s.feed == nil || query.Revision != 0 || !query.Local && !s.fresh(ctx) {
		return ports.Page{}, false
	}
	records := s.feed.cache.snapshot()
	if records == nil || query.Local && !s.feed.local.reached(records.revision) {
		return ports.Page{}, false
	}
	return records.page(query), true
}

// mark is the newest revision that local reads have told of by asking etcd, while
// the cache was of no use: what the cache tells afterwards must not be older.
type mark struct{ revision atomic.Int64 }

// reached reports whether the cache, at the revision, has come up to the mark.
func (m *mark) reached(revision int64) bool { return revision >= m.revision.Load() }

// raise moves the mark up to the revision.
func (m *mark) raise(revision int64) {
	for {
		marked := m.revision.Load()
		if revision <= marked || m.revision.CompareAndSwap(marked, revision) {
			return
		}
	}
}

// toldLocally notes that etcd has answered a local read.
func (s *Store) toldLocally(asOf int64) {
	if s.feed != nil {
		s.feed.local.raise(asOf)
	}
}

// counters count what a store has done since it was opened.
type counters struct {
	cached, fallbacks        atomic.Int64 // reads answered by the cache, and passed on to etcd
	comparisons, differences atomic.Int64 // of the cache with etcd
	replays                  atomic.Int64 // streams that had to ask etcd itself
}

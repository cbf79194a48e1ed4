package etcdstore

import (
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// CacheStats is the state of a store's cache and event log. Counts are since Open.
type CacheStats struct {
	// Synced means that the cache holds every record, Healthy that the watch which feeds it
	// is assumed to be alive.
	Synced, Healthy bool
	// ProvenAt is when etcd last proved that the cache is current; zero for never.
	ProvenAt time.Time
	// LastError is why the cache is not synced, nil if that is not known.
	LastError error
	// Revision is the revision that the cache has reached, Records how many it holds.
	Revision int64
	Records  int
	// CachedReads were served from the cache, Fallbacks from etcd instead.
	CachedReads, Fallbacks int64
	// ConsistencyChecks compared the cache with etcd; Differences is how many of them found
	// one, which is a bug.
	ConsistencyChecks, Differences int64
	// LogChanges and LogBytes are the recent changes that the event log keeps for all
	// subscribers; Replays is how often a subscriber had to read changes from etcd instead.
	LogChanges, LogBytes int
	Replays              int64
}

// CacheStats returns the current state; all zero for a store without a cache. It may be
// called at any time, also after Close.
func (s *Store) CacheStats() CacheStats {
	if s.reflector == nil {
		return CacheStats{}
	}
	cache := s.reflector.cache.Stats()
	stats := CacheStats{
		Synced: cache.IsSynced, Healthy: cache.IsWatchHealthy, Revision: cache.Revision, Records: cache.Records,
		CachedReads: s.counters.cachedReads.Load(), Fallbacks: s.counters.fallbacks.Load(),
		ConsistencyChecks: s.counters.consistencyChecks.Load(), Differences: s.counters.differences.Load(),
		Replays: s.counters.replays.Load(),
	}
	if at := s.reflector.provenAt.Load(); at != 0 {
		stats.ProvenAt = time.Unix(0, at)
	}
	stats.LogChanges, stats.LogBytes = s.reflector.eventLog.Size()
	if !stats.Synced {
		stats.LastError = s.reflector.LastError()
	}
	return stats
}

// VisitCached calls visit for every cached record and returns the revision of the records. It returns
// false, and visits none, if the cache does not hold every record. visit must not keep or change the
// record. No lock is held while it runs.
func (s *Store) VisitCached(visit func(*runtime.RuntimeRecord)) (revision int64, isSynced bool) {
	if s.reflector == nil {
		return 0, false
	}
	snapshot := s.reflector.cache.Snapshot()
	if snapshot == nil {
		return 0, false
	}
	snapshot.Scan(&ports.RecordFilter{}, "", func(r *recordcache.Record) bool {
		if r.DecodeErr == nil {
			visit(&r.RuntimeRecord)
		}
		return true
	})
	return snapshot.Revision, true
}

// CachedRevision returns the revision of the cache; 0 for a store without a cache.
func (s *Store) CachedRevision() int64 { return s.cachedRevision() }

// counters count what a store has done since Open.
type counters struct {
	cachedReads, fallbacks         atomic.Int64 // reads served from the cache, and from etcd instead
	consistencyChecks, differences atomic.Int64 // of the cache with etcd
	replays                        atomic.Int64 // streams that read changes from etcd
}

// BatchStats are the write requests of a store since Open.
type BatchStats = batcher.Stats

// BatchSizeBounds returns the largest number of writes of each of BatchStats.Sizes, in order.
func BatchSizeBounds() []int {
	bounds := batcher.SizeBounds()
	return bounds[:]
}

// BatchStats returns how many writes each request to etcd had; zero with NoGroupCommit. It may be
// called at any time, also after Close.
func (s *Store) BatchStats() BatchStats {
	if s.batcher == nil {
		return BatchStats{}
	}
	return s.batcher.Stats()
}

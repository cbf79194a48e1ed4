package etcdstore

// CacheStats says how a store's cache and its watch hub are doing. Counts are
// since the store was opened.
type CacheStats struct {
	// Filled tells that the cache holds every record, and Healthy that the watch
	// that feeds it is believed to be alive.
	Filled, Healthy bool
	// Trouble is what keeps the cache from being filled, nil for nothing known.
	Trouble error
	// Revision is what the cache has come to, and Records how many it holds.
	Revision int64
	Records  int
	// CachedReads were answered from the cache, Fallbacks by etcd in its stead.
	CachedReads, Fallbacks int64
	// Comparisons of the cache with etcd were made; Differences is how many found
	// one, which is a defect.
	Comparisons, Differences int64
	// HistoryChanges and HistoryBytes are what the hub keeps of the recent past for
	// all subscribers together; Replays is how often one had to ask etcd instead.
	HistoryChanges, HistoryBytes int
	Replays                      int64
}

// CacheStats returns the present state; all zero for a store without a cache. It
// may be called at any time, by anybody.
func (s *Store) CacheStats() CacheStats {
	if s.feed == nil {
		return CacheStats{}
	}
	stats := CacheStats{
		CachedReads: s.count.cached.Load(), Fallbacks: s.count.fallbacks.Load(),
		Comparisons: s.count.comparisons.Load(), Differences: s.count.differences.Load(),
		Replays: s.count.replays.Load(),
	}
	stats.HistoryChanges, stats.HistoryBytes = s.feed.hub.size()
	stats.Revision, stats.Records, stats.Filled, stats.Healthy = s.feed.cache.state()
	if !stats.Filled {
		stats.Trouble = s.feed.troubled()
	}
	return stats
}

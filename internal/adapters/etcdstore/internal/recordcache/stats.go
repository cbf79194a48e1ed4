package recordcache

// Stats is the state of a Cache.
type Stats struct {
	// IsSynced means that the cache holds every record, IsWatchHealthy that its watch is
	// assumed to be alive.
	IsSynced, IsWatchHealthy bool
	// Revision is the revision that the cache has reached.
	Revision int64
	Records  int
}

// Stats returns the current state.
func (c *Cache) Stats() Stats {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return Stats{IsSynced: c.isSynced, IsWatchHealthy: c.isWatchHealthy, Revision: c.live.Revision, Records: c.live.Len()}
}

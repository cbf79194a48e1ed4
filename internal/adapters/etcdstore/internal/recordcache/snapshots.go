package recordcache

import (
	"slices"
	"time"
)

const (
	// maxSnapshots bounds the retained snapshots. Each costs at most the index nodes that have
	// changed since, and the records that were replaced.
	maxSnapshots = 8
	// snapshotTTL is how long a snapshot is retained after its last use.
	snapshotTTL = time.Minute
)

// retainedSnapshot is the records at a revision that a list is being read at.
type retainedSnapshot struct {
	records *Indexes
	usedAt  time.Time
}

// Retain keeps a snapshot for the next pages of a list, until it was not used for snapshotTTL
// or more recent ones take its place. It ignores records from before the last Fill: etcd may
// have been restored, and then the same revision has other records.
func (c *Cache) Retain(records *Indexes) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isSynced && records.fill == c.live.fill {
		c.retain(records)
	}
}

// retain is Retain; mu must be held. The most recently used snapshot is the last one.
func (c *Cache) retain(records *Indexes) {
	c.retained = slices.DeleteFunc(c.retained, func(s retainedSnapshot) bool { return s.records.Revision == records.Revision })
	if len(c.retained) == maxSnapshots {
		c.retained = slices.Delete(c.retained, 0, 1)
	}
	c.retained = append(c.retained, retainedSnapshot{records, time.Now()})
}

// expireSnapshots drops the snapshots that were not used for snapshotTTL; mu must be held. Only
// changes of the cache make a snapshot cost memory, so Apply calls it.
func (c *Cache) expireSnapshots() {
	if len(c.retained) > 0 {
		c.retained = slices.DeleteFunc(c.retained, func(s retainedSnapshot) bool { return time.Since(s.usedAt) > snapshotTTL })
	}
}

// SnapshotAt returns the records as of the revision: a retained snapshot, or one that it
// restores from the changes of the log since that revision. It returns nil if the cache has
// not reached the revision, or if the log does not contain all changes after it.
//
// The log must be the one to which Apply publishes.
func (c *Cache) SnapshotAt(revision int64, log *EventLog) *Indexes {
	records, changes := c.snapshotBefore(revision, log)
	if records == nil || len(changes) == 0 {
		return records
	}
	for _, change := range slices.Backward(changes) {
		if change.Before != nil {
			records.set(change.Before)
		} else {
			records.remove(change.After.Segment)
		}
	}
	records.Revision = revision
	c.Retain(records)
	return records
}

// snapshotBefore returns the records at the revision, or a copy of the current ones together
// with the changes to undo. It returns nil if those are not known.
func (c *Cache) snapshotBefore(revision int64, log *EventLog) (*Indexes, []Change) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.isSynced {
		return nil, nil
	}
	i := slices.IndexFunc(c.retained, func(s retainedSnapshot) bool { return s.records.Revision == revision })
	if i >= 0 {
		records := c.retained[i].records
		c.retain(records)
		return records, nil
	}
	changes, isCovered := log.changesSince(revision)
	if !isCovered || revision > c.live.Revision {
		return nil, nil
	}
	if len(changes) == 0 && c.snapshotCache != nil {
		return c.snapshotCache.withRevision(revision), nil
	}
	records := c.live.clone()
	records.Revision = revision
	return records, changes
}

package recordcache

import (
	"context"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/planted"
)

// Cache is a copy of every record, as of a revision that a watch moves forward. Only the
// watch changes it; writes that the watch has not reported yet are held apart, as the base of
// the next write.
//
// A Cache is safe for concurrent use.
type Cache struct {
	keys layout.Keys

	decoding sync.Mutex // held while decoder is used
	decoder  *layout.RecordDecoder

	mu sync.RWMutex
	// isSynced means that live contains every record; isWatchHealthy that the watch which
	// feeds the cache is assumed to be alive.
	isSynced, isWatchHealthy bool
	live                     *Indexes
	fills                    int64              // number of calls of Fill
	hints                    slotHints          // of live, for reads of one record
	snapshotCache            *Indexes           // a clone of live as it is; nil if there is none
	retained                 []retainedSnapshot // of lists in progress
	changed                  broadcast.Signal   // notified when any of this changes

	pending    pendingWrites
	operations operationHistories
}

// New returns a cache without records.
func New(keys layout.Keys) *Cache {
	c := &Cache{keys: keys, decoder: layout.NewRecordDecoder(keys), live: NewIndexes(), hints: newSlotHints(0)}
	c.pending.reset(false, 0)
	return c
}

// Fill makes the records the content of the cache. It takes ownership of them.
func (c *Cache) Fill(records *Indexes) {
	hints := newSlotHints(records.Len())
	records.byKey.ascend("", func(p *place) bool {
		hints.add(p.segment, p.slot)
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fills++
	records.fill = c.fills
	c.live, c.snapshotCache, c.hints, c.retained = records, nil, hints, nil
	c.operations.reset(c.pending.reset(true, records.Revision))
	c.isSynced, c.isWatchHealthy = true, true
	c.changed.Notify()
}

// Reset drops every record: the cache is not used until the next Fill.
func (c *Cache) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.snapshotCache, c.hints, c.retained = NewIndexes(), nil, newSlotHints(0), nil
	c.operations.reset(c.pending.reset(false, 0))
	c.isSynced, c.isWatchHealthy = false, false
	c.changed.Notify()
}

// SetWatchHealthy records whether the watch is assumed to be alive.
func (c *Cache) SetWatchHealthy(isHealthy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isWatchHealthy != isHealthy {
		c.isWatchHealthy = isHealthy
		c.changed.Notify()
	}
}

// Apply applies the events of a watch response, whole revisions, and moves the cache to the
// position. It passes the changes to publish before readers can see them here, so that a
// subscriber that starts from the cache can continue there. It only reads the events: on the
// in-process client they are the server's memory.
func (c *Cache) Apply(events []*clientv3.Event, position int64, publish func([]Change, int64)) {
	changes := c.decodeChanges(events)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range changes {
		change := &changes[i]
		if change.After != nil {
			change.Before = c.set(change.After)
		} else if segment := string(events[i].Kv.GetKey())[len(c.keys.Records()):]; planted.Sometimes(planted.GhostRecord, 3) {
			change.Before = c.record(segment)
		} else {
			change.Before = c.remove(segment)
		}
	}
	changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Before == nil && c.After == nil })
	c.live.Revision = position
	c.expireSnapshots()
	c.pending.prune(changes, position)
	if len(changes) > 0 {
		c.snapshotCache = nil
	} else if c.snapshotCache != nil {
		c.snapshotCache = c.snapshotCache.withRevision(position)
	}
	c.isWatchHealthy = true
	publish(changes, position)
	c.changed.Notify()
}

// decodeChanges returns the changes of the events, without the records that they replace.
func (c *Cache) decodeChanges(events []*clientv3.Event) []Change {
	c.decoding.Lock()
	defer c.decoding.Unlock()
	changes := make([]Change, len(events))
	for i, ev := range events {
		changes[i].Revision = ev.Kv.GetModRevision()
		if ev.Type != clientv3.EventTypeDelete {
			changes[i].After = c.pending.find(ev.Kv.GetKey()[len(c.keys.Records()):], ev.Kv)
			if changes[i].After == nil {
				changes[i].After = new(Record)
				changes[i].After.decode(c.decoder, ev.Kv)
			}
		}
	}
	return changes
}

// set replaces the record of a key and returns the previous one. mu must be held.
func (c *Cache) set(r *Record) (previous *Record) {
	if r.DecodeErr == nil {
		c.operations.add(&r.Record, c.operations.resets) // written only while c.mu is held
	}
	if slot, previous := c.hints.find(r.Segment, &c.live.slots); previous != nil {
		c.live.replace(slot, previous, r)
		return previous
	}
	previous, slot := c.live.put(r)
	c.hints.add(r.Segment, slot)
	return previous
}

// remove deletes the record of a key and returns it. mu must be held.
func (c *Cache) remove(segment string) (previous *Record) {
	c.hints.remove(segment)
	c.operations.remove(segment)
	return c.live.remove(segment)
}

// WriteBase returns the newest record of the game that is known here, to base a write on, nil
// for none, and the revision of the cache. isUsable is false if the cache should not be used
// for it.
func (c *Cache) WriteBase(gameID string) (rec *layout.Record, asOf int64, isUsable bool) {
	segment := layout.EscapeGameID(gameID)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.isSynced || !c.isWatchHealthy {
		return nil, 0, false
	}
	r := c.record(segment)
	if newer := c.pending.get(segment); newer != nil && (r == nil || newer.ModRevision > r.ModRevision) {
		return newer, newer.ModRevision, true
	}
	switch {
	case r == nil:
		return nil, c.live.Revision, true
	case r.DecodeErr != nil:
		return nil, 0, false
	default:
		return &r.Record, r.ModRevision, true
	}
}

// Get returns the record of the game, nil for none, the revision that this is as of, and
// whether the cache holds every record.
func (c *Cache) Get(gameID string) (r *Record, asOf int64, isSynced bool) {
	segment := layout.EscapeGameID(gameID)
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.record(segment), c.live.Revision, c.isSynced
}

// record returns the record of the key, nil for none. mu must be held.
func (c *Cache) record(segment string) *Record {
	if _, r := c.hints.find(segment, &c.live.slots); r != nil {
		return r
	}
	return c.live.Get(segment)
}

// Revision returns the revision that the cache has reached.
func (c *Cache) Revision() int64 {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.live.Revision
}

// IsUsable reports whether the cache holds every record and its watch is assumed to be alive.
func (c *Cache) IsUsable() bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.isSynced && c.isWatchHealthy
}

// Snapshot returns the current records, which do not change any more; nil if the cache does
// not hold them all.
func (c *Cache) Snapshot() *Indexes {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.isSynced && c.snapshotCache == nil {
		c.snapshotCache = c.live.clone()
	}
	return c.snapshotCache
}

// HasSynced reports whether the cache holds every record, and returns a channel that closes
// when that may have changed.
func (c *Cache) HasSynced() (bool, <-chan struct{}) {
	changed := c.changed.Changed()
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.isSynced, changed
}

const (
	// progressRequestDelay is how long a reader waits before the watch's progress is requested.
	progressRequestDelay = time.Millisecond
	// progressRetryDelay is how long a reader waits for the response to such a request. etcd
	// drops a request while the watch is behind.
	progressRetryDelay = 100 * time.Millisecond
)

// WaitUntilFresh waits until the cache has reached the revision, and reports whether it has.
// It calls requestProgress if nothing has changed for a moment, because etcd does not report
// revisions without a change of a record unless it is requested, and repeats the request with
// isRetry set until the cache has reached the revision. It gives up when the cache
// is not usable, or when ctx ends. A cache that exceeds the timeout is not usable until the
// watch reports something.
func (c *Cache) WaitUntilFresh(ctx context.Context, revision int64, timeout time.Duration, requestProgress func(isRetry bool)) bool {
	isFresh, isUsable := c.freshness(revision)
	if isFresh || !isUsable {
		return isFresh
	}
	expired, delay := time.NewTimer(timeout), time.NewTimer(progressRequestDelay)
	defer expired.Stop()
	defer delay.Stop()
	for isRetry := false; ; {
		changed := c.changed.Changed()
		if isFresh, isUsable = c.freshness(revision); isFresh || !isUsable {
			return isFresh
		}
		select {
		case <-changed:
		case <-delay.C:
			requestProgress(isRetry)
			isRetry = true
			delay.Reset(progressRetryDelay)
		case <-expired.C:
			c.SetWatchHealthy(false)
		case <-ctx.Done():
			return false
		}
	}
}

// freshness reports whether the cache has reached the revision, and whether it is usable.
func (c *Cache) freshness(revision int64) (isFresh, isUsable bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.isSynced && c.live.Revision >= revision, c.isSynced && c.isWatchHealthy
}

package etcdstore

import (
	"context"
	"slices"
	"sync"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// cache is a copy of every record, as of a revision that a watch of etcd moves
// forward. Only that watch changes it; what this store has written itself and
// the watch has not told of yet is kept apart, for the next write to start from.
//
// A cache refuses nobody: that a record is absent, or not as expected, is said
// by a consistent read or by a compare, never by what may be stale.
//
// A cache is safe for concurrent use.
type cache struct {
	mu sync.RWMutex
	// filled tells that live holds every record; healthy that the watch which
	// feeds it is believed to be alive.
	filled, healthy bool
	live            *trees
	byKey           map[string]*entry // what is in live, for who asks for one
	published       *trees            // a clone of live as it is; nil where there is none
	moved           chan struct{}     // closed when any of this changes

	ahead ahead
	// catchUp is how long a reader waits for the cache before it goes to etcd.
	catchUp time.Duration
}

func newCache() *cache {
	return &cache{live: newTrees(0), byKey: map[string]*entry{}, moved: make(chan struct{}), catchUp: catchUpLimit}
}

// fill makes the records, as of their revision, the cache's content.
func (c *cache) fill(records *trees) {
	byKey := make(map[string]*entry, records.byKey.Len())
	records.byKey.Ascend(func(e *entry) bool {
		byKey[e.segment] = e
		return true
	})
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.published, c.byKey = records, nil, byKey
	c.ahead.reset(true, records.revision)
	c.filled, c.healthy = true, true
	c.stir()
}

// forget takes the cache out of use until it is filled again.
func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.live, c.published, c.byKey = newTrees(0), nil, map[string]*entry{}
	c.ahead.reset(false, 0)
	c.filled, c.healthy = false, false
	c.stir()
}

// setHealthy notes whether the watch is believed to be alive.
func (c *cache) setHealthy(healthy bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.healthy != healthy {
		c.healthy = healthy
		c.stir()
	}
}

// apply carries out what a response of the watch tells, whole revisions, and
// moves the cache to the position. It hands what was changed to publish before
// anybody can see it here, so that who starts from the cache can go on from there.
// It only reads the events: on the in-process client they are the server's memory.
func (c *cache) apply(keys layout.Keys, events []*clientv3.Event, position int64, publish func([]recordChange, int64)) {
	changes := make([]recordChange, 0, len(events))
	for _, ev := range events {
		change := recordChange{revision: ev.Kv.GetModRevision()}
		if ev.Type != clientv3.EventTypeDelete {
			change.after = newEntry(keys, ev.Kv)
		}
		changes = append(changes, change)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range changes {
		change := &changes[i]
		if change.after != nil {
			change.before = c.set(change.after)
		} else {
			change.before = c.remove(string(events[i].Kv.GetKey())[len(keys.Records()):])
		}
	}
	changes = slices.DeleteFunc(changes, func(c recordChange) bool { return c.before == nil && c.after == nil })
	c.live.revision = position
	c.ahead.follow(changes, position)
	if len(changes) > 0 {
		c.published = nil
	} else if c.published != nil {
		c.published = c.published.at(position)
	}
	c.healthy = true
	publish(changes, position)
	c.stir()
}

// set and remove change what stands at one key and return what stood there. The
// caller holds mu.
func (c *cache) set(e *entry) (before *entry) {
	c.byKey[e.segment] = e
	return c.live.set(e)
}

func (c *cache) remove(segment string) (before *entry) {
	delete(c.byKey, segment)
	return c.live.remove(segment)
}

// stir wakes whoever waits for the cache to move. The caller holds mu.
func (c *cache) stir() {
	close(c.moved)
	c.moved = make(chan struct{})
}

// peek returns the newest record of the game that is known here, nil where none
// is or where nothing should be started from it.
func (c *cache) peek(gameID string) *layout.Record {
	segment := layout.EscapeGameID(gameID)
	c.mu.RLock()
	defer c.mu.RUnlock()
	if !c.filled || !c.healthy {
		return nil
	}
	e := c.byKey[segment]
	if written := c.ahead.of(segment); written != nil && (e == nil || written.ModRevision > e.ModRevision) {
		return written
	}
	if e == nil || e.fault != nil {
		return nil
	}
	return &e.Record
}

// get returns what stands at the game's key, nil for nothing, the revision that
// this is as of, and whether the cache holds every record at all.
func (c *cache) get(gameID string) (e *entry, asOf int64, filled bool) {
	segment := layout.EscapeGameID(gameID)
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.byKey[segment], c.live.revision, c.filled
}

// state returns the revision that the cache has come to, how many records it holds,
// whether these are all, and whether its watch is believed to be alive.
func (c *cache) state() (revision int64, records int, filled, healthy bool) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.live.revision, c.live.byKey.Len(), c.filled, c.healthy
}

// snapshot returns the records as they are now, unchanging; nil where the cache
// does not hold them all.
func (c *cache) snapshot() *trees {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.filled && c.published == nil {
		c.published = c.live.clone()
	}
	return c.published
}

// isFilled reports whether the cache holds every record, and what to wait on for
// that to change.
func (c *cache) isFilled() (bool, <-chan struct{}) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.filled, c.moved
}

// How long a read waits for the cache before etcd is asked for a sign, and before
// the read goes to etcd itself.
const (
	nudgeAfter   = time.Millisecond
	catchUpLimit = 250 * time.Millisecond
)

// waitFor returns true once the cache stands at the revision or behind it. It
// calls nudge when nothing has moved for a moment: etcd says nothing of revisions
// that no record has changed at until it is asked. It returns false when the
// cache cannot be waited for, or ctx ends; a cache that has let one reader wait
// in vain is passed by until it moves.
func (c *cache) waitFor(ctx context.Context, revision int64, nudge func()) bool {
	arrived, usable, moved := c.stands(revision)
	if arrived || !usable {
		return arrived
	}
	limit, moment := time.NewTimer(c.catchUp), time.NewTimer(nudgeAfter)
	defer limit.Stop()
	defer moment.Stop()
	for !arrived && usable {
		select {
		case <-moved:
		case <-moment.C:
			nudge()
		case <-limit.C:
			c.setHealthy(false)
		case <-ctx.Done():
			return false
		}
		arrived, usable, moved = c.stands(revision)
	}
	return arrived
}

// stands reports whether the cache has come to the revision, and otherwise
// whether it is worth waiting for, and on what.
func (c *cache) stands(revision int64) (arrived, usable bool, moved <-chan struct{}) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.filled && c.live.revision >= revision, c.filled && c.healthy, c.moved
}

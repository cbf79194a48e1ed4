package recordcache

import (
	"sync"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// maxPendingWrites bounds the writes that the watch has not reported yet.
const maxPendingWrites = 4096

// pendingWrites holds records that are newer than the watch: written by this store, or
// returned by a failed compare. The next write to the game is based on them. They are apart
// from the records, because readers must see all games at one revision.
//
// It has a lock of its own, which writers hold briefly, while the watch may hold that of the
// records for longer. It is safe for concurrent use.
type pendingWrites struct {
	mu            sync.Mutex
	isOpen        bool  // the cache holds every record
	watchRevision int64 // the watch has reported everything up to it
	// records are the records by key segment, and local the writes in progress of this process. A
	// write that etcd has applied leaves local for records.
	records map[string]pendingRecord
	local   map[string]*LocalWrite
	// resets is the number of calls of reset. A response of a request from before the last one may
	// be of another history of etcd, whose revisions mean nothing.
	resets int64
}

// Begin returns what a request passes to AddWrite and AddLedger with its response. The history of
// etcd may be replaced while a request is in flight.
func (c *Cache) Begin() (since int64) { return c.pending.begin() }

// AddWrite stores a record that etcd has returned and that the watch may not have reported. It does
// nothing if the cache was filled or reset after the call of Begin that returned since.
func (c *Cache) AddWrite(rec layout.Record, since int64) {
	if c.pending.add(rec, since) {
		c.operations.add(&rec, since)
	}
}

// pendingRecord is a record that is newer than the watch.
type pendingRecord struct {
	record *Record
	value  []byte // of a record of LocalWrite, and otherwise nil
}

// reset drops every record. The watch has reported everything up to watchRevision; unless
// isOpen, nothing is added until the next reset. It returns the number of calls.
func (p *pendingWrites) reset(isOpen bool, watchRevision int64) (resets int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isOpen, p.watchRevision, p.records = isOpen, watchRevision, map[string]pendingRecord{}
	p.local = map[string]*LocalWrite{}
	p.resets++
	return p.resets
}

func (p *pendingWrites) begin() (since int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.resets
}

// add stores a record unless the watch has reached its revision: the watch may have reported
// a newer one then. It reports whether it has stored the record. since is that of begin.
func (p *pendingWrites) add(rec layout.Record, since int64) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return since == p.resets && p.addLocked(pendingRecord{record: &Record{Record: rec, Segment: layout.EscapeGameID(rec.GameID)}})
}

// addLocked is add; mu must be held.
func (p *pendingWrites) addLocked(pending pendingRecord) bool {
	rec := pending.record
	current := p.records[rec.Segment].record
	switch {
	case !p.isOpen, rec.ModRevision <= p.watchRevision, current != nil && rec.ModRevision <= current.ModRevision:
	case current == nil && len(p.records) >= maxPendingWrites:
	default:
		p.records[rec.Segment] = pending
		return true
	}
	return false
}

// prune drops the records that the watch has reported.
func (p *pendingWrites) prune(changes []Change, watchRevision int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.watchRevision = watchRevision
	for _, c := range changes {
		segment := c.segment()
		if current := p.records[segment].record; current != nil && current.ModRevision <= c.Revision {
			delete(p.records, segment)
		}
	}
}

// get returns the record of the key segment, nil for none.
func (p *pendingWrites) get(segment string) *layout.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if pending := p.records[segment].record; pending != nil {
		return &pending.Record
	}
	return nil
}

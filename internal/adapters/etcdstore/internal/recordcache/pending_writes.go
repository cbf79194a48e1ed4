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
	records       map[string]*layout.Record
}

// reset drops every record. The watch has reported everything up to watchRevision; unless
// isOpen, nothing is added until the next reset.
func (p *pendingWrites) reset(isOpen bool, watchRevision int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.isOpen, p.watchRevision, p.records = isOpen, watchRevision, map[string]*layout.Record{}
}

// add stores a record unless the watch has reached its revision: the watch may have reported
// a newer one then. It reports whether it has stored the record.
func (p *pendingWrites) add(rec layout.Record) bool {
	segment := layout.EscapeGameID(rec.GameID)
	p.mu.Lock()
	defer p.mu.Unlock()
	current := p.records[segment]
	switch {
	case !p.isOpen, rec.ModRevision <= p.watchRevision, current != nil && rec.ModRevision <= current.ModRevision:
	case current == nil && len(p.records) >= maxPendingWrites:
	default:
		p.records[segment] = &rec
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
		if current := p.records[segment]; current != nil && current.ModRevision <= c.Revision {
			delete(p.records, segment)
		}
	}
}

// get returns the record of the key segment, nil for none.
func (p *pendingWrites) get(segment string) *layout.Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.records[segment]
}

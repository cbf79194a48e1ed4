package etcdstore

import (
	"sync"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// maxAhead is how many writes may wait for the watch to tell of them.
const maxAhead = 4096

// ahead holds what this store has written, or been shown by a compare, until the
// watch tells of it: what the next write to the game best starts from. It is apart
// from the records, because a reader must never see one game newer than another.
//
// It has a lock of its own, which writers hold for moments, while the watch may
// hold the records' for longer. It is safe for concurrent use.
type ahead struct {
	mu      sync.Mutex
	open    bool  // the records are there to be ahead of
	told    int64 // the revision up to which the watch has told everything
	records map[string]*layout.Record
}

// reset begins anew with the watch at the revision, or with nothing at all.
func (a *ahead) reset(open bool, told int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.open, a.told, a.records = open, told, map[string]*layout.Record{}
}

// learn takes in a record, unless the watch has come as far: it may then have told
// of something newer.
func (a *ahead) learn(rec layout.Record) {
	segment := layout.EscapeGameID(rec.GameID)
	a.mu.Lock()
	defer a.mu.Unlock()
	known := a.records[segment]
	switch {
	case !a.open, rec.ModRevision <= a.told, known != nil && rec.ModRevision <= known.ModRevision:
	case known == nil && len(a.records) >= maxAhead:
	default:
		a.records[segment] = &rec
	}
}

// follow lets go of what the watch has told of by now.
func (a *ahead) follow(changes []recordChange, told int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.told = told
	for _, c := range changes {
		segment := c.segment()
		if known := a.records[segment]; known != nil && known.ModRevision <= c.revision {
			delete(a.records, segment)
		}
	}
}

// of returns what is held of the key, nil for nothing.
func (a *ahead) of(segment string) *layout.Record {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.records[segment]
}

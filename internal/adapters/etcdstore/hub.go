package etcdstore

import (
	"cmp"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Bounds of what a store keeps of the recent past for its subscribers, which all of
// them share. Beside it a slow or stalled one costs the takenAtOnce changes that
// it has at hand, or the records of the snapshot that it is reading.
const (
	maxHistoryChanges = 16_384
	maxHistoryBytes   = 64 << 20
)

// takenAtOnce is how many changes a subscriber takes from the history at a time.
const takenAtOnce = 64

// recordChange is what one write did to one key. One side is nil where there is no
// value.
type recordChange struct {
	revision      int64
	before, after *entry
}

// segment is that of the changed key.
func (c recordChange) segment() string {
	if c.after != nil {
		return c.after.segment
	}
	return c.before.segment
}

func (c recordChange) bytes() (n int) {
	for _, e := range []*entry{c.before, c.after} {
		if e != nil {
			n += e.bytes
		}
	}
	return n
}

// hub gives the changes that one watch of etcd brings to every subscriber. It
// keeps the recent ones in a bounded history, in which each subscriber reads at
// its own pace: a slow one costs nothing, and one that the history has left
// behind asks etcd itself.
//
// A hub is safe for concurrent use.
type hub struct {
	mu sync.RWMutex
	// epoch counts the histories that etcd was seen to have; it changes when etcd
	// goes back, so that a revision of the one before means nothing any more.
	epoch int64
	// open tells that the hub can serve: every change behind since, up to and
	// with position, is in history.
	open            bool
	since, position int64
	history         []recordChange // in order
	bytes           int            // what history keeps alive, about
	maxChanges      int
	moved           chan struct{} // closed when any of this changes
}

func newHub() *hub { return &hub{maxChanges: maxHistoryChanges, moved: make(chan struct{})} }

// begin starts a history behind the revision.
func (h *hub) begin(revision int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.since, h.position = true, revision, revision
	h.history, h.bytes = nil, 0
	h.stir()
}

// interrupt stops the hub from serving until the next begin. Its subscribers
// find out from etcd itself what has become of their streams. What comes after a
// foreign interruption is not the continuation of what was told before.
func (h *hub) interrupt(foreign bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.open, h.history, h.bytes = false, nil, 0
	if foreign {
		h.epoch++
	}
	h.stir()
}

// publish adds whole revisions to the history and moves the position.
func (h *hub) publish(changes []recordChange, position int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.history = append(h.history, changes...)
	for _, c := range changes {
		h.bytes += c.bytes()
	}
	h.position = position
	h.trim()
	h.stir()
}

// trim forgets the oldest revisions, whole, until the history is within bounds.
func (h *hub) trim() {
	drop := 0
	for drop < len(h.history) && (len(h.history)-drop > h.maxChanges || h.bytes > maxHistoryBytes) {
		h.since = h.history[drop].revision
		for drop < len(h.history) && h.history[drop].revision == h.since {
			h.bytes -= h.history[drop].bytes()
			drop++
		}
	}
	clear(h.history[:drop]) // or they would live as long as the array does
	h.history = h.history[drop:]
}

// stir wakes whoever waits for a change. The caller holds mu.
func (h *hub) stir() {
	close(h.moved)
	h.moved = make(chan struct{})
}

// era returns the present epoch.
func (h *hub) era() int64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.epoch
}

// size returns how many changes the history holds, and about how many bytes.
func (h *hub) size() (changes, bytes int) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return len(h.history), h.bytes
}

// covers reports whether the hub can serve a subscriber that has come to the
// revision in the epoch.
func (h *hub) covers(epoch, revision int64) bool {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return h.serves(epoch, revision)
}

// serves is covers for who holds mu. A revision that the hub has yet to come to is
// not served: should etcd be put back before it gets there, nobody would notice.
func (h *hub) serves(epoch, revision int64) bool {
	return h.open && h.epoch == epoch && h.since <= revision && revision <= h.position
}

// take returns the next changes behind the revision, whole revisions of them and
// into the given space, and the revision up to which these are all. Where there
// is nothing newer it returns a channel that closes once there may be. covered is
// false when the hub cannot serve the revision.
func (h *hub) take(epoch, revision int64, into []recordChange) (changes []recordChange, position int64, moved <-chan struct{}, covered bool) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	if !h.serves(epoch, revision) {
		return nil, revision, nil, false
	}
	from, _ := slices.BinarySearchFunc(h.history, revision+1, func(c recordChange, revision int64) int {
		return cmp.Compare(c.revision, revision)
	})
	rest := h.history[from:]
	if len(rest) <= takenAtOnce {
		return append(into, rest...), h.position, h.moved, true
	}
	to := takenAtOnce
	for to < len(rest) && rest[to].revision == rest[to-1].revision {
		to++
	}
	return append(into, rest[:to]...), rest[to-1].revision, nil, true
}

// tell makes an event of a change. The event's records are the store's own: they
// must be cloned before they are handed out.
func (c recordChange) tell() told {
	event := ports.RuntimeEvent{Revision: c.revision}
	blind := false
	if c.before != nil {
		event.Before, event.GameID = c.before.told()
		blind = c.before.fault != nil
	}
	if c.after == nil {
		event.Type = ports.EventDeleted
		if event.GameID == "" {
			return fault(c.before.fault, c.revision) // a key that is not a game's
		}
		return told{event: event, blind: blind}
	}
	if c.after.fault != nil {
		return fault(c.after.fault, c.revision)
	}
	event.Type = ports.EventUpserted
	if c.after.LastWrite.Kind == layout.WriteTransition {
		event.Type = ports.EventTransitioned
	}
	event.After, event.GameID = c.after.told()
	return told{event: event, blind: blind}
}

// told is how events speak of an entry: nil for one that cannot be read.
func (e *entry) told() (*runtime.RuntimeRecord, string) {
	if e.fault != nil {
		return nil, e.corrupt().GameID
	}
	return &e.RuntimeRecord, e.GameID
}

package recordcache

import (
	"cmp"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/broadcast"
)

// maxLogBytes bounds the recent changes that an EventLog keeps for all its subscribers
// together. In addition, a slow subscriber costs the ReadBatchSize changes that it is
// processing, or the records of the snapshot that it is reading.
const maxLogBytes = 64 << 20

// ReadBatchSize is how many changes a subscriber reads from the log at a time.
const ReadBatchSize = 64

// Change is what one write did to one key. Before or After is nil if there was no value.
type Change struct {
	Revision      int64
	Before, After *Record
}

// segment returns the key segment that was changed.
func (c Change) segment() string {
	if c.After != nil {
		return c.After.Segment
	}
	return c.Before.Segment
}

// bytes returns the estimated memory of the change.
func (c Change) bytes() (n int) {
	for _, r := range []*Record{c.Before, c.After} {
		if r != nil {
			n += r.bytes()
		}
	}
	return n
}

// EventLog distributes the changes of one watch to every subscriber. It keeps the recent ones
// in a bounded log that each subscriber reads at its own pace: a slow one costs nothing, and
// one that the log has dropped changes for reads from etcd instead.
//
// An EventLog is safe for concurrent use.
type EventLog struct {
	mu sync.RWMutex
	// epoch counts the histories of the store; it changes when etcd's revision goes back, so
	// that revisions of the previous epoch mean nothing.
	epoch int64
	// isOpen means that the log can serve: it contains every change after start, up to and
	// including position.
	isOpen          bool
	start, position int64
	changes         []Change // in order
	bytes           int      // estimated memory that changes keep alive
	maxChanges      int
	changed         broadcast.Signal // notified when any of this changes
}

// NewEventLog returns a log of at most maxChanges changes, which serves nothing until Start.
func NewEventLog(maxChanges int) *EventLog { return &EventLog{maxChanges: maxChanges} }

// Start starts an empty log after the revision.
func (l *EventLog) Start(revision int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOpen, l.start, l.position = true, revision, revision
	l.changes, l.bytes = nil, 0
	l.changed.Notify()
}

// Invalidate stops the log from serving until the next Start. Its subscribers read from etcd
// what has become of their streams. isForeign means that what follows is not a continuation
// of the history so far.
func (l *EventLog) Invalidate(isForeign bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.isOpen, l.changes, l.bytes = false, nil, 0
	if isForeign {
		l.epoch++
	}
	l.changed.Notify()
}

// Append adds whole revisions to the log and moves the position.
func (l *EventLog) Append(changes []Change, position int64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.changes = append(l.changes, changes...)
	for _, c := range changes {
		l.bytes += c.bytes()
	}
	l.position = position
	l.trim()
	l.changed.Notify()
}

// trim drops the oldest revisions, whole, until the log is within its bounds. mu must be held.
func (l *EventLog) trim() {
	drop := 0
	for drop < len(l.changes) && (len(l.changes)-drop > l.maxChanges || l.bytes > maxLogBytes) {
		l.start = l.changes[drop].Revision
		for drop < len(l.changes) && l.changes[drop].Revision == l.start {
			l.bytes -= l.changes[drop].bytes()
			drop++
		}
	}
	clear(l.changes[:drop]) // or they would live as long as the array
	l.changes = l.changes[drop:]
}

// changesSince returns a copy of the changes after the revision, and false if the log does not
// contain them all.
func (l *EventLog) changesSince(revision int64) (changes []Change, isCovered bool) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.coversLocked(l.epoch, revision) {
		return nil, false
	}
	return slices.Clone(l.changesAfter(revision)), true
}

// changesAfter returns the changes after the revision; mu must be held.
func (l *EventLog) changesAfter(revision int64) []Change {
	from, _ := slices.BinarySearchFunc(l.changes, revision+1, func(c Change, revision int64) int {
		return cmp.Compare(c.Revision, revision)
	})
	return l.changes[from:]
}

// Epoch returns the current epoch.
func (l *EventLog) Epoch() int64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.epoch
}

// Size returns how many changes the log has, and their estimated memory in bytes.
func (l *EventLog) Size() (changes, bytes int) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return len(l.changes), l.bytes
}

// Covers reports whether the log can serve a subscriber that has reached the revision in the
// epoch.
func (l *EventLog) Covers(epoch, revision int64) bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.coversLocked(epoch, revision)
}

// coversLocked is Covers; mu must be held. A revision that the log has not reached is not
// covered: if etcd's revision goes back before it does, the subscriber would not notice.
func (l *EventLog) coversLocked(epoch, revision int64) bool {
	return l.isOpen && l.epoch == epoch && l.start <= revision && revision <= l.position
}

// Read appends the next changes after the revision to into, whole revisions of them, and
// returns them with the revision up to which they are complete. If there are none, changed
// closes once there may be. isCovered is false if the log cannot serve the revision.
func (l *EventLog) Read(epoch, revision int64, into []Change) (changes []Change, position int64, changed <-chan struct{}, isCovered bool) {
	changed = l.changed.Changed()
	l.mu.RLock()
	defer l.mu.RUnlock()
	if !l.coversLocked(epoch, revision) {
		return nil, revision, nil, false
	}
	rest := l.changesAfter(revision)
	if len(rest) <= ReadBatchSize {
		return append(into, rest...), l.position, changed, true
	}
	to := ReadBatchSize
	for to < len(rest) && rest[to].Revision == rest[to-1].Revision {
		to++
	}
	return append(into, rest[:to]...), rest[to-1].Revision, nil, true
}

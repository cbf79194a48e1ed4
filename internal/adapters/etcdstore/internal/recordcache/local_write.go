package recordcache

import (
	"bytes"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
)

// LocalWrite is a write of a record by this process. Etcd's response and the watch report it, in
// either order: whichever is first adds the revisions to the record, and both use it as it is.
// So the watch need not decode what this process has encoded.
type LocalWrite struct {
	value  []byte // of the record's key
	record *Record
	// hasRevisions means that the record is complete and does not change any more. The mutex of
	// pendingWrites guards it.
	hasRevisions bool
	// resets is pendingWrites.resets at the start of the write.
	resets int64
}

// StartWrite announces that value, which encodes the record, may become the value of the record's
// key. The record has the form of runtime.RuntimeRecord.InUTC; it and the value must not be
// changed any more. It returns nil if the record may differ from what its value decodes to, or if
// too many writes are in progress: then the watch decodes it. The caller must call FinishWrite once
// etcd has applied the write, and otherwise AbandonWrite.
func (c *Cache) StartWrite(stored layout.StoredRecord, value []byte) *LocalWrite {
	if len(stored.Unknown) > 0 || stored.Metadata != "" {
		return nil
	}
	r := &Record{Record: layout.Record{StoredRecord: stored}, Segment: layout.EscapeGameID(stored.GameID)}
	if len(r.Labels) == 0 {
		r.Labels = nil // as decoded
	}
	if len(r.Ports) == 0 {
		r.Ports = nil
	}
	if stored.LastWrite.Kind == layout.WriteUpsert { // a transition has the strings of its base
		r.Ports = slices.Clone(r.Ports)
		c.decoding.Lock()
		c.decoder.ShareWords(&r.StoredRecord)
		c.decoding.Unlock()
	}
	w := &LocalWrite{value: value, record: r}
	if !c.pending.announce(w) {
		return nil
	}
	return w
}

// FinishWrite adds the revisions of etcd's response to the record, passes it to the next write
// until the watch reports it, and returns it.
func (c *Cache) FinishWrite(w *LocalWrite, createRevision, modRevision int64) *layout.Record {
	rec, isPending := c.pending.finish(w, createRevision, modRevision)
	if isPending {
		c.operations.add(rec, w.resets)
	}
	return rec
}

// AbandonWrite ends a write that etcd has not applied, or whose outcome is not known. nil is
// ignored.
func (c *Cache) AbandonWrite(w *LocalWrite) {
	if w != nil {
		c.pending.abandon(w)
	}
}

// complete returns the record with the revisions, or nil if it has others already. The mutex of
// pendingWrites must be held.
func (w *LocalWrite) complete(createRevision, modRevision int64) *Record {
	if !w.hasRevisions {
		w.record.CreateRevision, w.record.ModRevision, w.hasRevisions = createRevision, modRevision, true
	}
	if w.record.CreateRevision != createRevision || w.record.ModRevision != modRevision {
		return nil
	}
	return w.record
}

// announce stores a write that the watch may report, unless there are too many.
func (p *pendingWrites) announce(w *LocalWrite) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.isOpen || len(p.local) >= maxPendingWrites {
		return false
	}
	p.local[w.record.Segment], w.resets = w, p.resets
	return true
}

func (p *pendingWrites) abandon(w *LocalWrite) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(w)
}

// drop drops a write unless a later one has taken its place. mu must be held.
func (p *pendingWrites) drop(w *LocalWrite) {
	if p.local[w.record.Segment] == w {
		delete(p.local, w.record.Segment)
	}
}

// finish completes a write that etcd has applied. isPending means that the watch has not reported
// it.
func (p *pendingWrites) finish(w *LocalWrite, createRevision, modRevision int64) (rec *layout.Record, isPending bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.drop(w)
	r := w.complete(createRevision, modRevision)
	if r == nil { // etcd was restored, and the watch has reported another write of the same value
		copied := *w.record
		r = &copied
		r.CreateRevision, r.ModRevision = createRevision, modRevision
	}
	if w.resets != p.resets {
		return &r.Record, false // the revision may be one of another history
	}
	return &r.Record, p.addLocked(pendingRecord{r, w.value})
}

// find returns the record of the write of this process that has put the value, nil for none.
func (p *pendingWrites) find(segment []byte, kv *mvccpb.KeyValue) *Record {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w := p.local[string(segment)]; w != nil && bytes.Equal(w.value, kv.GetValue()) {
		p.drop(w)
		return w.complete(kv.GetCreateRevision(), kv.GetModRevision())
	}
	done, found := p.records[string(segment)]
	if !found || done.value == nil || !bytes.Equal(done.value, kv.GetValue()) ||
		done.record.ModRevision != kv.GetModRevision() || done.record.CreateRevision != kv.GetCreateRevision() {
		return nil
	}
	return done.record
}

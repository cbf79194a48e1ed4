package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// resolve finds out whether an earlier try of a write was applied, now that the
// game has moved on from what it was computed from, so that no try of it can be
// applied any more. It returns what the write left, nil if it was not applied,
// and an error that errors.Is runtime.ErrOutcomeUnknown when neither the record
// nor the ledger nor etcd's history can tell.
//
// It cannot see through one thing: an insert in doubt whose game somebody takes
// away with its ledger and then inserts again looks as if it had not been applied.
func (s *Store) resolve(ctx context.Context, w *prepared, stands view, doubted bool) (*runtime.VersionedRecord, error) {
	id := w.change.origin.OperationID
	if stands.record != nil && stands.record.LastWrite.OperationID == id {
		written := stands.record.Versioned()
		return &written, nil
	}
	if entry, found := stands.operation(id); found {
		return s.writtenAt(ctx, w, entry.Revision), nil
	}
	if stands.covers(w.base) {
		return nil, nil
	}
	if stands.record == nil && !doubted {
		return nil, nil // deleted under a write that was sent once
	}
	if stands.record == nil {
		return nil, unknownOutcome(ctx, id, errDeleted)
	}
	return s.searchHistory(ctx, w, stands)
}

var errDeleted = errors.New("the record has been deleted since")

// writtenAt returns the record that the write left at the revision. What etcd
// does not tell any more is what the write was to leave: only a twin, sent by
// somebody else with the same operation id, could have left another one.
func (s *Store) writtenAt(ctx context.Context, w *prepared, revision int64) *runtime.VersionedRecord {
	written := runtime.VersionedRecord{Record: w.after.Clone(), Revision: revision}
	resp, err := s.etcd.Get(ctx, s.keys.Record(w.change.gameID), clientv3.WithRev(revision))
	if err != nil || len(resp.Kvs) == 0 {
		return &written
	}
	if rec, err := s.keys.DecodeRecord(resp.Kvs[0]); err == nil && rec.LastWrite.OperationID == w.change.origin.OperationID {
		written = rec.Versioned()
	}
	return &written
}

// covers reports whether the ledger holds every write of the game since base,
// so that an operation it does not name was not applied.
func (v view) covers(base view) bool {
	if base.record != nil && v.record != nil && v.record.CreateRevision > base.revision() {
		return false // deleted and inserted again, and perhaps numbered anew
	}
	before := func(e runtime.LedgerEntry) bool { return e.Revision <= max(base.at, base.revision()) }
	if v.record == nil && !slices.ContainsFunc(v.ledger, before) {
		return false // deleted, and the ledger perhaps with it
	}
	newest, oldest := v.newestSeq(), base.newestSeq()
	if len(v.ledgerFaults) > 0 || newest < oldest {
		return false
	}
	since := int64(0)
	for _, e := range v.ledger {
		if e.Seq > oldest {
			since++
		}
	}
	return since == newest-oldest
}

// searchHistory looks for the operation among the values that the record's key
// has had since the write was computed, which etcd keeps until compaction. It
// goes backwards, one value a read: the write is near the head unless writers
// have stampeded, and reads at a revision can neither miss nor repeat a value.
func (s *Store) searchHistory(ctx context.Context, w *prepared, stands view) (*runtime.VersionedRecord, error) {
	id := w.change.origin.OperationID
	for at := stands.revision(); at > w.base.revision(); {
		resp, err := s.etcd.Get(ctx, s.keys.Record(w.change.gameID), clientv3.WithRev(at))
		if err != nil {
			return nil, unknownOutcome(ctx, id, fmt.Errorf("its trace may be gone: %w", err))
		}
		if len(resp.Kvs) == 0 && w.base.record != nil {
			return nil, unknownOutcome(ctx, id, errDeleted)
		}
		if len(resp.Kvs) == 0 {
			return nil, nil // back at the absence that the write was computed from
		}
		rec, err := s.keys.DecodeRecord(resp.Kvs[0])
		if err == nil && rec.LastWrite.OperationID == id {
			written := rec.Versioned()
			return &written, nil
		}
		at = resp.Kvs[0].GetModRevision() - 1
	}
	return nil, nil
}

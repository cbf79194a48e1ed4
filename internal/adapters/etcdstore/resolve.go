package etcdstore

import (
	"context"
	"fmt"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// resolve finds out whether a write with a doubtful try was applied, now that
// the record is another one than it was computed from, so that no try of it can
// be applied any more. It returns the revision of the write, 0 if it was not
// applied, and an error that errors.Is runtime.ErrOutcomeUnknown when neither
// the record nor the ledger nor etcd's history can tell.
func (s *Store) resolve(ctx context.Context, w *prepared, stands view) (int64, error) {
	id := w.change.origin.OperationID
	if stands.record != nil && stands.record.LastOp.ID == id {
		return stands.record.modRevision, nil
	}
	if entry, found := stands.operation(id); found {
		return entry.Revision, nil
	}
	if stands.covers(w.base) {
		return 0, nil
	}
	if stands.record == nil {
		return 0, fmt.Errorf("%w (operation %s): the record has been deleted since", runtime.ErrOutcomeUnknown, id)
	}
	return s.searchHistory(ctx, w, stands)
}

// covers reports whether the ledger holds every write of the game since base,
// so that an operation it does not name was not applied.
func (v view) covers(base view) bool {
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
func (s *Store) searchHistory(ctx context.Context, w *prepared, stands view) (int64, error) {
	id := w.change.origin.OperationID
	for at := stands.revision(); at > w.base.revision(); {
		resp, err := s.get(ctx, s.keys.record(w.change.gameID), clientv3.WithRev(at))
		if err != nil {
			return 0, fmt.Errorf("%w (operation %s): its trace may be gone: %w", runtime.ErrOutcomeUnknown, id, err)
		}
		if len(resp.Kvs) == 0 && w.base.record != nil {
			return 0, fmt.Errorf("%w (operation %s): the record has been deleted and inserted again", runtime.ErrOutcomeUnknown, id)
		}
		if len(resp.Kvs) == 0 {
			return 0, nil // back at the absence that the write was computed from
		}
		rec, err := s.keys.decodeRecord(resp.Kvs[0])
		if err == nil && rec.LastOp.ID == id {
			return rec.modRevision, nil
		}
		at = resp.Kvs[0].GetModRevision() - 1
	}
	return 0, nil
}

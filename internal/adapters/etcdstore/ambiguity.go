package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/planted"
)

// findApplied implements casTxn by the record, the ledger and, if those do not prove it, etcd's
// history of the record's key.
//
// A try that was sent once, of a write whose ledger was not read, finds its operation id only
// if another request has used it: such a write is a repetition, as it is when its base was read
// later. So the client must not resend a request that etcd may have executed.
//
// An ambiguous insert is of unknown outcome if its game may have been deleted since. One case
// is not detected: another client, or a deletion at etcd's space quota, has deleted the game
// without its deletion epoch. The insert is then applied a second time.
func (t *recordTxn) findApplied(ctx context.Context, state gameState, isAmbiguous bool) (result runtime.VersionedRecord, isApplied bool, err error) {
	if planted.Is(planted.BlindResend) || planted.Is(planted.NewIDResend) {
		return result, false, nil
	}
	if t.mutation.isNamed && t.base.isLedgerUnread && !isAmbiguous && state.hasOperation(t.id()) {
		return result, false, nil // the caller returns the result of a repetition
	}
	if err := t.mutation.checkIDReuse(state); err != nil {
		return result, false, err // another request has used the id, and changed the base
	}
	if state.record != nil && state.record.LastWrite.OperationID == t.id() {
		return state.record.Versioned(), true, nil
	}
	if entry, found := state.ledgerEntry(t.id()); found {
		return t.readWritten(ctx, entry.Revision), true, nil
	}
	switch {
	case state.ledgerCovers(t.base):
		return result, false, nil
	case state.record != nil:
		return t.searchHistory(ctx, state, isAmbiguous)
	case isAmbiguous:
		return result, false, outcomeUnknown(ctx, t.id(), errDeleted)
	default:
		return result, false, nil // deleted before a write that was sent once
	}
}

var errDeleted = errors.New("the record may have been deleted since")

// readWritten returns the record that the write left at the revision. If etcd has compacted
// that revision, it is the record that the write contained: only another write with the
// same operation id could have left another one.
func (t *recordTxn) readWritten(ctx context.Context, revision int64) runtime.VersionedRecord {
	result := runtime.VersionedRecord{Record: t.record.Clone(), Revision: revision}
	resp, err := t.store.etcd.Get(ctx, t.store.keys.Record(t.mutation.gameID), clientv3.WithRev(revision))
	if err != nil || len(resp.Kvs) == 0 {
		return result
	}
	if rec, err := t.store.keys.DecodeRecord(resp.Kvs[0]); err == nil && rec.LastWrite.OperationID == t.id() {
		return rec.Versioned()
	}
	return result
}

// searchHistory searches the values that the record's key has had since the base, which etcd
// keeps until compaction. It reads backwards, one value per request: the write is near the
// newest value unless there were many writers, and reads at a revision can neither skip nor
// repeat a value.
func (t *recordTxn) searchHistory(ctx context.Context, state gameState, isAmbiguous bool) (result runtime.VersionedRecord, isApplied bool, err error) {
	for revision := state.recordRevision(); revision > t.base.recordRevision(); {
		resp, err := t.store.etcd.Get(ctx, t.store.keys.Record(t.mutation.gameID), clientv3.WithRev(revision))
		if err != nil {
			return result, false, outcomeUnknown(ctx, t.id(), fmt.Errorf("the history may be compacted: %w", err))
		}
		if len(resp.Kvs) == 0 && isAmbiguous && (t.base.record != nil || state.mayBeDeletedSince(t.base)) {
			return result, false, outcomeUnknown(ctx, t.id(), errDeleted)
		}
		if len(resp.Kvs) == 0 {
			return result, false, nil // the absent base of the write, or deleted before a write that was sent once
		}
		rec, err := t.store.keys.DecodeRecord(resp.Kvs[0])
		if err == nil && rec.LastWrite.OperationID == t.id() {
			return rec.Versioned(), true, nil
		}
		revision = resp.Kvs[0].GetModRevision() - 1
	}
	return result, false, nil
}

// ledgerCovers reports whether the ledger has every write of the game since base, so that an
// operation id which it does not contain was not applied.
func (g gameState) ledgerCovers(base gameState) bool {
	isReplaced := base.record != nil && g.record != nil && g.record.CreateRevision > base.recordRevision()
	if isReplaced || g.mayBeDeletedSince(base) {
		return false // deleted and inserted, and the numbers may have restarted
	}
	isBefore := func(e layout.LedgerEntry) bool { return e.Revision <= max(base.revision, base.recordRevision()) }
	if g.record == nil && !slices.ContainsFunc(g.ledger, isBefore) {
		return false // deleted, and the ledger may be deleted too
	}
	newest, oldest := g.newestSeq(), base.newestSeq()
	if len(g.ledgerErrs) > 0 || newest < oldest {
		return false
	}
	count := int64(0)
	for _, e := range g.ledger {
		if e.Seq > oldest {
			count++
		}
	}
	return count == newest-oldest
}

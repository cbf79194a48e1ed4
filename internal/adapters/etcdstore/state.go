package etcdstore

import (
	"cmp"
	"context"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// gameState is a game's record and ledger at one revision.
type gameState struct {
	revision int64          // that of the read
	record   *layout.Record // nil if there is none
	ledger   []layout.LedgerEntry
	// ledgerErrs are the *runtime.CorruptErrors of entries that are not in ledger.
	ledgerErrs []error
	// isLedgerUnread means that the state is from the cache, which has no ledgers.
	isLedgerUnread bool
	// lastDeletion is the revision of the game's deletion epoch. It is read only for a
	// transaction whose base has no record.
	lastDeletion int64
}

// readRecord reads a game's record without its ledger.
func (s *Store) readRecord(ctx context.Context, gameID string) (gameState, error) {
	resp, err := s.etcd.Get(ctx, s.keys.Record(gameID))
	if err != nil {
		return gameState{}, err
	}
	state := gameState{revision: resp.Header.GetRevision()}
	if len(resp.Kvs) > 0 {
		state.record, err = s.keys.DecodeRecord(resp.Kvs[0])
	}
	return state, err
}

// readRecordAndLedger reads a game's record and ledger in one linearizable transaction.
func (s *Store) readRecordAndLedger(ctx context.Context, gameID string) (gameState, error) {
	keys := s.keys.OfGame(gameID)
	resp, err := s.etcd.ReadOps(ctx, getsOfState(&keys))
	if err != nil {
		return gameState{}, err
	}
	return s.decodeState(resp)
}

// getsOfState returns the reads whose responses decodeState decodes.
func getsOfState(keys *layout.GameKeys) []*pb.RequestOp {
	return []*pb.RequestOp{etcd.GetOp(keys.Record, nil), etcd.GetOp(keys.Ledger, keys.LedgerEnd)}
}

// readRecordOrLedger reads a game's record, and its ledger only if there is no record, in one
// linearizable transaction.
func (s *Store) readRecordOrLedger(ctx context.Context, gameID string) (gameState, error) {
	keys := s.keys.OfGame(gameID)
	gets := getsOfState(&keys)
	resp, err := s.etcd.ReadIf(ctx, &pb.TxnRequest{
		Compare: []*pb.Compare{etcd.CompareCreateRevision(keys.Record, 0)}, Success: gets, Failure: gets[:1],
	})
	if err != nil {
		return gameState{}, err
	}
	return s.decodeState(resp)
}

// decodeState decodes the first two responses of a transaction with getsOfState, or its only
// one with the record alone.
func (s *Store) decodeState(resp *clientv3.TxnResponse) (state gameState, err error) {
	state.revision = resp.Header.GetRevision()
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		if state.record, err = s.keys.DecodeRecord(kvs[0]); err != nil {
			return gameState{}, err
		}
	}
	if len(resp.Responses) == 1 {
		return state, nil
	}
	for _, kv := range resp.Responses[1].GetResponseRange().GetKvs() {
		entry, err := s.keys.DecodeLedgerEntry(kv)
		if err != nil {
			state.ledgerErrs = append(state.ledgerErrs, err)
			continue
		}
		state.ledger = append(state.ledger, entry)
	}
	return state, nil
}

// recordRevision returns the revision of the record's last write, 0 if there is no record.
func (g gameState) recordRevision() int64 {
	if g.record == nil {
		return 0
	}
	return g.record.ModRevision
}

// runtimeRecord returns the record, nil if there is none.
func (g gameState) runtimeRecord() *runtime.RuntimeRecord {
	if g.record == nil {
		return nil
	}
	return &g.record.RuntimeRecord
}

// newestSeq returns the number of the newest ledger entry, 0 without one. A game that is
// inserted after a deletion continues the numbers.
func (g gameState) newestSeq() int64 {
	newest := int64(0)
	if g.record != nil {
		newest = g.record.LastWrite.Seq
	}
	for _, e := range g.ledger {
		newest = max(newest, e.Seq)
	}
	return newest
}

// isUnchangedSince reports whether the game was not written since base. Without a record it
// compares the ledger and the deletion epoch, which outlive a record.
func (g gameState) isUnchangedSince(base gameState) bool {
	if base.record != nil || g.record != nil {
		return g.recordRevision() == base.recordRevision()
	}
	return g.newestSeq() == base.newestSeq() && !g.mayBeDeletedSince(base)
}

// mayBeDeletedSince reports whether a record that was inserted after the absent base may have
// been deleted.
func (g gameState) mayBeDeletedSince(base gameState) bool {
	return base.record == nil && g.lastDeletion > base.revision
}

// hasOperation reports whether record or ledger name an earlier write with the operation id.
func (g gameState) hasOperation(id string) bool {
	_, found := g.ledgerEntry(id)
	return found || g.record != nil && g.record.LastWrite.OperationID == id
}

// ledgerEntry returns the ledger entry of the write with the operation id.
func (g gameState) ledgerEntry(id string) (layout.LedgerEntry, bool) {
	i := slices.IndexFunc(g.ledger, func(e layout.LedgerEntry) bool { return e.OperationID == id })
	if i < 0 {
		return layout.LedgerEntry{}, false
	}
	return g.ledger[i], true
}

// history returns the entries that lead to the current record, newest first. An entry with a
// higher number than the record's belongs to an earlier record of the same id.
func (g gameState) history() []runtime.LedgerEntry {
	entries := make([]runtime.LedgerEntry, 0, len(g.ledger))
	for _, e := range g.ledger {
		if e.Seq <= g.record.LastWrite.Seq {
			entries = append(entries, e.LedgerEntry)
		}
	}
	slices.SortFunc(entries, func(a, b runtime.LedgerEntry) int { return cmp.Compare(b.Seq, a.Seq) })
	return entries
}

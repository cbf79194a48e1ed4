package etcdstore

import (
	"context"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// recordTxn is the casTxn of a mutation: it writes the record, its status index and its ledger
// entry.
type recordTxn struct {
	batcher.Txn

	store    *Store
	mutation mutation
	base     gameState
	record   layout.StoredRecord  // the new one
	guard    ports.OperationGuard // that of the mutation for this base
	keys     layout.GameKeys
	local    *recordcache.LocalWrite // nil if the cache does not expect the write
	since    int64                   // that of beginRequest
}

var _ casTxn[gameState, runtime.VersionedRecord] = (*recordTxn)(nil)

// newRecordTxn computes the transaction of a mutation. It writes only if the record is
// unchanged since base, its index keys are correct, and the fence is valid.
func (s *Store) newRecordTxn(m mutation, base gameState) (*recordTxn, error) {
	seq := base.newestSeq() + 1
	stored := layout.StoredRecord{LastWrite: layout.LastWrite{OperationID: m.origin.OperationID, Seq: seq, Kind: m.kind}}
	entry := layout.StoredLedgerEntry{
		Seq: seq, To: m.to, At: m.at,
		OperationID: m.origin.OperationID, Actor: m.origin.Actor, Reason: m.origin.Reason,
		ContentsHash: m.contentsHash,
	}
	var before runtime.RuntimeRecord
	if base.record != nil {
		before = base.record.RuntimeRecord
		stored.Unknown = base.record.Unknown
		entry.From = before.Status
	}
	after, err := m.apply(before)
	if err != nil {
		return nil, err
	}
	stored.RuntimeRecord = after
	entry.ContainerID, entry.Image = after.CurrentContainerID, after.CurrentImageRef

	recordValue, err := layout.EncodeRecord(stored)
	if err != nil {
		return nil, err
	}
	entryValue, err := layout.EncodeLedgerEntry(entry)
	if err != nil {
		return nil, err
	}
	t := &recordTxn{store: s, mutation: m, base: base, record: stored, guard: m.guard.Resolve(base.runtimeRecord()), keys: s.keys.OfGame(m.gameID), since: s.beginRequest()}
	t.Game = m.gameID
	then := make([]*pb.RequestOp, 0, 4)
	if base.record != nil && before.Status != after.Status && !planted.Sometimes(planted.StaleIndexKey, 20) {
		then = append(then, etcd.DeleteOp(t.keys.StatusIndexKey(before.Status), nil))
	}
	then = append(then,
		etcd.PutOp(t.keys.Record, recordValue),
		etcd.PutOp(t.keys.StatusIndexKey(after.Status), []byte(after.CurrentContainerID)),
		etcd.PutOp(t.keys.LedgerEntry(seq), entryValue),
	)
	otherwise := t.getsOfState()
	if m.fence != nil {
		otherwise = append(otherwise, etcd.GetKeyOp([]byte(m.fence.Key)))
	}
	if t.guard != ports.GuardNone {
		otherwise = append(otherwise, etcd.GetOp([]byte(s.keys.Intent(m.gameID)), nil))
	}
	t.Request = &pb.TxnRequest{Compare: t.compares(), Success: then, Failure: otherwise}
	t.Bytes = t.estimateBytes(len(recordValue)+len(entryValue), before, after)
	if s.reflector != nil {
		t.local = s.reflector.cache.StartWrite(stored, recordValue)
	}
	return t, nil
}

// compares returns the compares of the transaction, at most eight.
func (t *recordTxn) compares() []*pb.Compare {
	compares := make([]*pb.Compare, 0, 8)
	if !planted.Is(planted.MissingCompare) || t.mutation.kind != layout.WriteTransition {
		compares = append(compares, etcd.CompareModRevision(t.keys.Record, t.base.recordRevision()))
		compares = t.keys.CompareStatusIndex(compares, t.base.record)
	}
	if t.base.record == nil {
		// The absence of the record alone would hold a second time after the record that an
		// earlier try inserted is deleted. The deletion epoch shows a deletion by a store, and the
		// ledger one by another client, which leaves it.
		// A ledger that was not read must not exist: its numbers and operation ids are unknown.
		newest := t.base.revision
		if t.base.isLedgerUnread {
			newest = 0
		}
		compares = append(compares, etcd.CompareNotModifiedSince(t.keys.Ledger, t.keys.LedgerEnd, newest),
			t.store.compareDeletionEpoch(t.mutation.gameID, t.base.revision))
	}
	if t.mutation.fence != nil && !planted.Is(planted.UnfencedWrite) {
		compares = append(compares, compareFence(*t.mutation.fence))
	}
	return t.appendGuard(compares)
}

// Bounds of a write: how many keys it names at most, and the bytes that each takes in addition to
// the record's key. An estimate that is too large does no harm.
const (
	txnKeyCount    = 16
	perKeyOverhead = 64
)

func (t *recordTxn) estimateBytes(values int, before, after runtime.RuntimeRecord) int {
	bytes := values + txnKeyCount*(len(t.keys.Record)+perKeyOverhead) +
		len(before.CurrentContainerID) + len(after.CurrentContainerID)
	if t.mutation.fence != nil {
		bytes += 2 * len(t.mutation.fence.Key)
	}
	return bytes
}

func (t *recordTxn) id() string { return t.mutation.origin.OperationID }

func (t *recordTxn) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	return t.store.sendTxn(ctx, &t.Txn)
}

func (t *recordTxn) sendAlone(ctx context.Context) (*clientv3.TxnResponse, error) {
	if t.hasReserve() {
		ctx = etcd.UseReserve(ctx)
	}
	return t.SendDirect(ctx, t.store.etcd)
}

// hasReserve reports whether the node of an existing game records that it has stopped or was
// removed: on a full disk the end of a game takes space that is reserved for it. Other callers
// have no fence.
func (t *recordTxn) hasReserve() bool {
	return t.mutation.fence != nil && t.base.record != nil && t.record.Status != runtime.StatusRunning
}

// resultOf also passes the record to the cache.
func (t *recordTxn) resultOf(resp *clientv3.TxnResponse) runtime.VersionedRecord {
	revision := resp.Header.GetRevision()
	created := revision
	if t.base.record != nil {
		created = t.base.record.CreateRevision
	}
	if t.local != nil {
		write := t.local
		t.local = nil
		return t.store.reflector.cache.FinishWrite(write, created, revision).Versioned()
	}
	stored := layout.Record{StoredRecord: t.record, CreateRevision: created, ModRevision: revision}
	t.store.cacheWrite(&stored, t.since)
	return stored.Versioned()
}

// close ends a transaction that is not sent any more.
func (t *recordTxn) close() {
	if t.local != nil {
		t.store.reflector.cache.AbandonWrite(t.local)
	}
}

func (t *recordTxn) readState(ctx context.Context) (gameState, error) {
	resp, err := t.store.etcd.ReadOps(ctx, t.getsOfState())
	if err != nil {
		return gameState{}, err
	}
	return t.decodeState(resp)
}

// getsOfState returns the reads whose responses decodeState decodes.
func (t *recordTxn) getsOfState() []*pb.RequestOp {
	gets := append(make([]*pb.RequestOp, 0, 5), getsOfState(&t.keys)...)
	if t.base.record == nil {
		gets = append(gets, t.store.getDeletionEpoch(t.mutation.gameID))
	}
	return gets
}

func (t *recordTxn) decodeState(resp *clientv3.TxnResponse) (gameState, error) {
	state, err := t.store.decodeState(resp)
	if err == nil && t.base.record == nil {
		state.lastDeletion = decodeDeletionEpoch(resp.Responses[2])
	}
	return state, err
}

func (t *recordTxn) isBase(state gameState) bool { return state.isUnchangedSince(t.base) }

// explainFailedCompare checks the fence and the guard, whose keys the response has, and the
// index keys.
func (t *recordTxn) explainFailedCompare(ctx context.Context, resp *clientv3.TxnResponse) error {
	extra := resp.Responses[len(getsOfState(&t.keys)):]
	if t.base.record == nil {
		extra = extra[1:] // the deletion epoch
	}
	if fence := t.mutation.fence; fence != nil {
		if err := checkFence(*fence, extra[0].GetResponseRange().GetKvs()); err != nil {
			return err
		}
		extra = extra[1:]
	}
	if t.guard != ports.GuardNone {
		if err := t.checkGuard(extra[0].GetResponseRange().GetKvs()); err != nil {
			return err
		}
	}
	return t.findCorruptIndex(ctx)
}

// findCorruptIndex returns a *runtime.CorruptError for the index key whose compare has failed,
// nil if there is none or if the record has changed. It reads the keys only now: corruption is
// rare, and otherwise every write would read them.
func (t *recordTxn) findCorruptIndex(ctx context.Context) error {
	keys, gameID := t.store.keys, t.mutation.gameID
	gets := []clientv3.Op{clientv3.OpGet(keys.Record(gameID))}
	for _, status := range runtime.Statuses() {
		gets = append(gets, clientv3.OpGet(keys.StatusIndexKey(status, gameID)))
	}
	found, err := t.store.etcd.GetEach(ctx, gets)
	if err != nil {
		return err
	}
	if found[0].GetModRevision() != t.base.recordRevision() {
		return nil
	}
	for i, status := range runtime.Statuses() {
		if fault := layout.StatusIndexFault(t.base.record, status, found[1+i]); fault != "" {
			return &runtime.CorruptError{Key: keys.StatusIndexKey(status, gameID), GameID: gameID, Reason: fault}
		}
	}
	return nil
}

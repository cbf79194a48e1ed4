package etcdstore

import (
	"context"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// recordTxn is the casTxn of a mutation: it writes the record, its status index and its ledger
// entry.
type recordTxn struct {
	batcher.Txn

	store    *Store
	mutation mutation
	base     gameState
	record   layout.StoredRecord // the new one
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
	t := &recordTxn{store: s, mutation: m, base: base, record: stored}
	t.Game = m.gameID
	t.If = t.compares()
	t.Then = make([]clientv3.Op, 0, 4)
	if base.record != nil && before.Status != after.Status {
		t.Then = append(t.Then, clientv3.OpDelete(s.keys.StatusIndexKey(before.Status, m.gameID)))
	}
	t.Then = append(t.Then,
		clientv3.OpPut(s.keys.Record(m.gameID), recordValue),
		clientv3.OpPut(s.keys.StatusIndexKey(after.Status, m.gameID), after.CurrentContainerID),
		clientv3.OpPut(s.keys.LedgerEntry(m.gameID, seq), entryValue),
	)
	t.Else = s.getsOfState(m.gameID)
	if m.fence != nil {
		t.Else = append(t.Else, clientv3.OpGet(m.fence.Key, clientv3.WithKeysOnly()))
	}
	t.Bytes = t.estimateBytes(len(recordValue)+len(entryValue), before, after)
	return t, nil
}

// compares returns the compares of the transaction, at most six.
func (t *recordTxn) compares() []clientv3.Cmp {
	keys, gameID := t.store.keys, t.mutation.gameID
	compares := make([]clientv3.Cmp, 0, 6) // etcd's compares are large: one allocation
	compares = append(compares, clientv3.Compare(clientv3.ModRevision(keys.Record(gameID)), "=", t.base.recordRevision()))
	compares = keys.CompareStatusIndex(compares, gameID, t.base.record)
	if t.base.record == nil {
		// The absence of the record alone would hold a second time after another client deletes
		// the record that an earlier try inserted. The ledger outlives the record, unless it is
		// deleted too.
		compares = append(compares, clientv3.Compare(clientv3.ModRevision(keys.LedgerOf(gameID)), "<", t.base.revision+1).WithPrefix())
	}
	if t.mutation.fence != nil {
		compares = append(compares, compareFence(*t.mutation.fence))
	}
	return compares
}

// Bounds of a write: how many keys it names at most, and the bytes that each takes in addition to
// the record's key. An estimate that is too large does no harm.
const (
	txnKeyCount    = 16
	perKeyOverhead = 64
)

func (t *recordTxn) estimateBytes(values int, before, after runtime.RuntimeRecord) int {
	bytes := values + txnKeyCount*(len(t.store.keys.Record(t.mutation.gameID))+perKeyOverhead) +
		len(before.CurrentContainerID) + len(after.CurrentContainerID)
	if t.mutation.fence != nil {
		bytes += 2 * len(t.mutation.fence.Key)
	}
	return bytes
}

func (t *recordTxn) id() string { return t.mutation.origin.OperationID }

// send makes one try, in a batch with other writes if there are some.
func (t *recordTxn) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	if t.store.batcher == nil {
		return t.SendDirect(ctx, t.store.etcd)
	}
	return t.store.batcher.Send(ctx, &t.Txn)
}

// resultOf also passes the record to the cache.
func (t *recordTxn) resultOf(resp *clientv3.TxnResponse) runtime.VersionedRecord {
	revision := resp.Header.GetRevision()
	stored := layout.Record{StoredRecord: t.record, CreateRevision: revision, ModRevision: revision}
	if t.base.record != nil {
		stored.CreateRevision = t.base.record.CreateRevision
	}
	stored.RuntimeRecord = stored.Clone() // it contains the caller's pointers
	t.store.cacheWrite(&stored)
	return stored.Versioned()
}

func (t *recordTxn) readState(ctx context.Context) (gameState, error) {
	return t.store.readRecordAndLedger(ctx, t.mutation.gameID)
}

func (t *recordTxn) decodeState(resp *clientv3.TxnResponse) (gameState, error) {
	return t.store.decodeState(resp)
}

func (t *recordTxn) isBase(state gameState) bool { return state.isUnchangedSince(t.base) }

// explainFailedCompare checks the fence, whose key the response has, and the index keys.
func (t *recordTxn) explainFailedCompare(ctx context.Context, resp *clientv3.TxnResponse) error {
	if fence := t.mutation.fence; fence != nil {
		leader := resp.Responses[len(t.Else)-1].GetResponseRange().GetKvs()
		if err := checkFence(*fence, leader); err != nil {
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

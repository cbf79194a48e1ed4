package etcdstore

import (
	"context"
	"fmt"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// SetCondition implements ports.ConditionWriter. It is one transaction with one put: neither
// the index nor the ledger depends on the condition.
func (s *Store) SetCondition(ctx context.Context, input ports.ConditionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	defer end()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()
	updated, err := s.setCondition(ctx, input)
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("set the condition of game %q: %w", input.GameID, err)
	}
	return updated, nil
}

func (s *Store) setCondition(ctx context.Context, input ports.ConditionInput) (runtime.VersionedRecord, error) {
	base, err := s.recordAt(ctx, input.GameID, input.IfRevision)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	for {
		if err := checkConditionBase(input, base); err != nil {
			return runtime.VersionedRecord{}, s.preferFenceError(ctx, input.Fence, err)
		}
		if base.Condition.Equal(input.Condition) {
			return base.Versioned(), nil
		}
		txn, err := s.newConditionTxn(input, base)
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		result, err := commit(ctx, s, txn)
		if err != nil || result.isApplied {
			return result.result, err
		}
		s.cacheWrite(result.state.record, txn.since)
		base = result.state.record
	}
}

// recordAt returns the record at the revision from the cache, and otherwise the current record
// from etcd, nil for none.
func (s *Store) recordAt(ctx context.Context, gameID string, revision int64) (*layout.Record, error) {
	if s.reflector != nil {
		if rec, _, isUsable := s.reflector.cache.WriteBase(gameID); isUsable && rec != nil && rec.ModRevision == revision {
			return rec, nil
		}
	}
	state, err := s.readRecord(ctx, gameID)
	return state.record, err
}

// checkConditionBase returns runtime.ErrNotFound for no record, and a *runtime.ConflictError
// for a record of another revision than the input expects.
func checkConditionBase(input ports.ConditionInput, base *layout.Record) error {
	if base == nil {
		return runtime.ErrNotFound
	}
	return checkRevision(input.GameID, &input.IfRevision, base)
}

// conditionTxn is the casTxn of a condition: it writes the record only.
//
// The record has no id of the write. If the response to a try is lost, a record with the
// condition and the same last write proves that the condition is stored, by this write
// or by an equal one.
type conditionTxn struct {
	batcher.Txn

	store  *Store
	input  ports.ConditionInput
	base   *layout.Record
	record layout.StoredRecord // the new one
	logID  string
	since  int64 // that of beginRequest
}

var _ casTxn[gameState, runtime.VersionedRecord] = (*conditionTxn)(nil)

// newConditionTxn returns the transaction that writes the condition if the record is the base
// and the fence is valid.
func (s *Store) newConditionTxn(input ports.ConditionInput, base *layout.Record) (*conditionTxn, error) {
	t := &conditionTxn{store: s, input: input, base: base, record: base.StoredRecord, logID: operation.NewID(), since: s.beginRequest()}
	t.record.RuntimeRecord = base.WithCondition(input.Condition).InUTC()
	t.record.LastWrite.HasNewerCondition = true
	value, err := layout.EncodeRecord(t.record)
	if err != nil {
		return nil, err
	}
	key := []byte(s.keys.Record(input.GameID))
	t.Game = input.GameID
	t.Request = &pb.TxnRequest{
		Compare: []*pb.Compare{etcd.CompareModRevision(key, base.ModRevision)},
		Success: []*pb.RequestOp{etcd.PutOp(key, value)},
		Failure: []*pb.RequestOp{etcd.GetOp(key, nil)},
	}
	t.Bytes = len(value) + 2*(len(key)+perKeyOverhead)
	if fence := input.Fence; fence != nil {
		t.Request.Compare = append(t.Request.Compare, compareFence(*fence))
		t.Request.Failure = append(t.Request.Failure, etcd.GetKeyOp([]byte(fence.Key)))
		t.Bytes += 2 * (len(fence.Key) + perKeyOverhead)
	}
	if input.IfIntentRevision != 0 {
		intent := []byte(s.keys.Intent(input.GameID))
		t.Request.Compare = append(t.Request.Compare, etcd.CompareModRevision(intent, input.IfIntentRevision))
		t.Request.Failure = append(t.Request.Failure, etcd.GetKeyOp(intent))
		t.Bytes += 2 * (len(intent) + perKeyOverhead)
	}
	return t, nil
}

func (t *conditionTxn) id() string { return t.logID }

// send makes one try.
func (t *conditionTxn) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	return t.store.sendTxn(ctx, &t.Txn)
}

func (t *conditionTxn) sendAlone(ctx context.Context) (*clientv3.TxnResponse, error) {
	return t.SendDirect(ctx, t.store.etcd)
}

func (t *conditionTxn) hasReserve() bool { return false }

// resultOf also passes the record to the cache.
func (t *conditionTxn) resultOf(resp *clientv3.TxnResponse) runtime.VersionedRecord {
	stored := layout.Record{StoredRecord: t.record, CreateRevision: t.base.CreateRevision, ModRevision: resp.Header.GetRevision()}
	t.store.cacheWrite(&stored, t.since)
	return stored.Versioned()
}

func (t *conditionTxn) readState(ctx context.Context) (gameState, error) {
	return t.store.readRecord(ctx, t.Game)
}

func (t *conditionTxn) decodeState(resp *clientv3.TxnResponse) (state gameState, err error) {
	state.revision = resp.Header.GetRevision()
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		state.record, err = t.store.keys.DecodeRecord(kvs[0])
	}
	return state, err
}

func (t *conditionTxn) isBase(state gameState) bool {
	return state.recordRevision() == t.base.ModRevision
}

// findApplied implements casTxn by the current record. A later write may have replaced the
// condition: then the caller gets a conflict and decides by its next observation.
func (t *conditionTxn) findApplied(_ context.Context, state gameState, _ bool) (result runtime.VersionedRecord, isApplied bool, err error) {
	rec := state.record
	if rec == nil || rec.CreateRevision != t.base.CreateRevision || rec.LastWrite != t.record.LastWrite || !rec.Condition.Equal(t.record.Condition) {
		return result, false, nil
	}
	return rec.Versioned(), true, nil
}

func (t *conditionTxn) explainFailedCompare(_ context.Context, resp *clientv3.TxnResponse) error {
	extra := resp.Responses[1:]
	if t.input.Fence != nil {
		if err := checkFence(*t.input.Fence, extra[0].GetResponseRange().GetKvs()); err != nil {
			return err
		}
		extra = extra[1:]
	}
	if t.input.IfIntentRevision == 0 {
		return nil
	}
	var actual int64
	if kvs := extra[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		actual = kvs[0].GetModRevision()
	}
	if actual == t.input.IfIntentRevision {
		return nil
	}
	t.store.knownIntents.expire(t.Game, actual)
	return fmt.Errorf("the intent: %w", runtime.NewRevisionConflict(t.Game, t.input.IfIntentRevision, runtime.VersionedRecord{Revision: actual}))
}

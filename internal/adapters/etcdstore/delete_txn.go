package etcdstore

import (
	"context"
	"slices"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// deleteTxn is the casTxn of a deletion: it deletes the record, its index keys, its ledger and
// its intent, the keys of its operations and the secret that belongs to the game, and it writes the
// deletion epoch. It has no result.
//
// It leaves no id in etcd. But it compares the revision of the record, and a record that is
// deleted never returns to that revision, so no try can be applied to a later game.
type deleteTxn struct {
	batcher.Txn

	store *Store
	input ports.DeleteInput
	base  deletionState
	// gameOps and gameBytes are the operations and Bytes without those of the base. The first one
	// puts the deletion epoch.
	gameOps   []*pb.RequestOp
	gameBytes int
	reads     []*pb.RequestOp // of the state
}

var _ casTxn[deletionState, struct{}] = (*deleteTxn)(nil)

// deletionState is what decides whether a game may be deleted, at one revision.
type deletionState struct {
	record         *layout.Record // nil if there is none
	intentRevision int64          // 0 if there is no intent
	current        *operation.Operation
	operationIDs   []string           // of the intent
	leader         []*mvccpb.KeyValue // the key of the fence
}

func (d deletionState) recordRevision() int64 {
	if d.record == nil {
		return 0
	}
	return d.record.ModRevision
}

// newDeleteTxn returns a transaction that can read the state and has no base yet.
func (s *Store) newDeleteTxn(input ports.DeleteInput) *deleteTxn {
	keys, gameID := s.keys, input.GameID
	t := &deleteTxn{store: s, input: input}
	t.Game, t.SharedKey = gameID, keys.DeletionEpoch(gameID)
	ofGame := keys.OfGame(gameID)
	t.gameOps = []*pb.RequestOp{
		etcd.PutOp([]byte(t.SharedKey), nil),
		etcd.DeleteOp(ofGame.Record, nil),
		etcd.DeleteOp(ofGame.Ledger, ofGame.LedgerEnd),
		etcd.DeleteOp([]byte(keys.Intent(gameID)), nil),
		etcd.DeleteOp([]byte(keys.GameSecret(gameID)), nil),
	}
	for _, index := range ofGame.StatusIndex { // also index keys that are wrong
		t.gameOps = append(t.gameOps, etcd.DeleteOp(index, nil))
	}
	t.reads = []*pb.RequestOp{etcd.GetOp(ofGame.Record, nil), etcd.GetOp([]byte(keys.Intent(gameID)), nil)}
	t.gameBytes = txnKeyCount * (len(ofGame.Record) + perKeyOverhead)
	if input.Fence != nil {
		t.reads = append(t.reads, etcd.GetKeyOp([]byte(input.Fence.Key)))
		t.gameBytes += 2 * len(input.Fence.Key)
	}
	return t
}

// withBase returns the transaction that deletes the game if it is unchanged since base.
func (t *deleteTxn) withBase(base deletionState) *deleteTxn {
	next := *t
	next.base = base
	next.Request, next.Bytes = &pb.TxnRequest{Success: slices.Clone(t.gameOps), Failure: t.reads}, t.gameBytes
	for _, id := range base.operationIDs {
		key := t.store.keys.OperationIDKey(id, t.Game)
		next.Request.Success = append(next.Request.Success, etcd.DeleteOp([]byte(key), nil))
		next.Bytes += len(key) + perKeyOverhead
	}
	next.Request.Compare = []*pb.Compare{
		etcd.CompareModRevision([]byte(t.store.keys.Record(t.Game)), base.recordRevision()),
		etcd.CompareModRevision([]byte(t.store.keys.Intent(t.Game)), base.intentRevision),
		t.store.compareSchema(),
	}
	if t.input.Fence != nil {
		next.Request.Compare = append(next.Request.Compare, compareFence(*t.input.Fence))
	}
	return &next
}

// withoutEpoch returns the transaction that only compares and deletes: at its space quota etcd
// rejects any transaction that contains a put, and a deletion must be possible there. Inserts
// are rejected as well then, so that there is one gap: an insert with a try that is still in
// flight and that etcd executes once it has space. It is applied a second time. On a full disk
// a single member rejects writes, and another one may execute the try earlier.
func (t *deleteTxn) withoutEpoch() *deleteTxn {
	next := *t
	next.Request = &pb.TxnRequest{Compare: t.Request.GetCompare(), Success: t.Request.GetSuccess()[1:], Failure: t.Request.GetFailure()}
	next.SharedKey = ""
	return &next
}

func (t *deleteTxn) id() string { return t.input.Origin.OperationID }

// send makes one try.
func (t *deleteTxn) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	return t.store.sendTxn(ctx, &t.Txn)
}

func (t *deleteTxn) sendAlone(ctx context.Context) (*clientv3.TxnResponse, error) {
	return t.SendDirect(ctx, t.store.etcd)
}

func (t *deleteTxn) hasReserve() bool { return false }

func (t *deleteTxn) resultOf(*clientv3.TxnResponse) struct{} { return struct{}{} }

func (t *deleteTxn) readState(ctx context.Context) (deletionState, error) {
	resp, err := t.store.etcd.ReadOps(ctx, t.reads)
	if err != nil {
		return deletionState{}, err
	}
	return t.decodeState(resp)
}

// decodeState decodes record and intent. Neither may be unreadable: nothing else proves that
// the game is removed and that no operation is in progress.
func (t *deleteTxn) decodeState(resp *clientv3.TxnResponse) (state deletionState, err error) {
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		if state.record, err = t.store.keys.DecodeRecord(kvs[0]); err != nil {
			return deletionState{}, err
		}
	}
	if kvs := resp.Responses[1].GetResponseRange().GetKvs(); len(kvs) > 0 {
		stored, err := t.store.keys.DecodeIntent(kvs[0])
		if err != nil {
			return deletionState{}, err
		}
		state.intentRevision, state.current, state.operationIDs = kvs[0].GetModRevision(), stored.ActiveOperation(), stored.ToIntent().OperationIDs()
	}
	if t.input.Fence != nil {
		state.leader = resp.Responses[2].GetResponseRange().GetKvs()
	}
	return state, nil
}

func (t *deleteTxn) isBase(state deletionState) bool {
	return state.recordRevision() == t.base.recordRevision() && state.intentRevision == t.base.intentRevision
}

// findApplied reports whether the record of the base has been deleted. A try of this
// transaction may have done that, and so may another call; nothing distinguishes the two.
func (t *deleteTxn) findApplied(_ context.Context, state deletionState, _ bool) (result struct{}, isApplied bool, err error) {
	return struct{}{}, state.record == nil || state.record.CreateRevision > t.base.recordRevision(), nil
}

// explainFailedCompare checks the fence and the schema, which are all that the transaction
// compares in addition to the revisions.
func (t *deleteTxn) explainFailedCompare(ctx context.Context, resp *clientv3.TxnResponse) error {
	if fence := t.input.Fence; fence != nil {
		if err := checkFence(*fence, resp.Responses[2].GetResponseRange().GetKvs()); err != nil {
			return err
		}
	}
	if err := t.store.checkSchema(ctx); err != nil {
		return err
	}
	return outcomeUnknown(ctx, t.id(), errContradiction)
}

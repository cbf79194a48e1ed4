package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"github.com/google/uuid"
	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/batcher"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// intentTxn is the casTxn of an intent: it writes the intent and its keys in the
// indexes of operations. The
// result is the revision of the write.
type intentTxn struct {
	batcher.Txn

	store      *Store
	ifRevision int64 // of the replaced intent; 0 for none
	fences     []node.Fence
	writeID    string
	value      string          // contains writeID
	reads      []*pb.RequestOp // of the state
	// usesReserve means that the write has space on a full disk.
	usesReserve bool
	// seenRevision is a revision that etcd had reached before the first try.
	seenRevision int64
}

var _ casTxn[intentState, int64] = (*intentTxn)(nil)

// intentState is an intent, and the fences of a write, at one revision.
type intentState struct {
	asOf    int64
	kv      *mvccpb.KeyValue     // nil if there is no intent
	leaders [][]*mvccpb.KeyValue // the key of each fence
	// lastDeletion is the revision of the game's deletion epoch. It is read only for an insert.
	lastDeletion int64
}

func (i intentState) revision() int64 { return i.kv.GetModRevision() }

// newIntentTxn computes the transaction that replaces an intent.
func (s *Store) newIntentTxn(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences []node.Fence) (*intentTxn, error) {
	t := &intentTxn{store: s, ifRevision: replaces.Revision, fences: fences, writeID: uuid.NewString(), seenRevision: s.cachedRevision()}
	t.Game = intent.GameID
	t.reads = []*pb.RequestOp{etcd.GetOp([]byte(t.key()), nil)}
	for _, fence := range fences {
		t.reads = append(t.reads, etcd.GetKeyOp([]byte(fence.Key)))
	}
	if t.isInsert() {
		t.reads = append(t.reads, s.getDeletionEpoch(t.Game))
	}
	replaced, err := t.loadReplaced(ctx, replaces)
	if err != nil {
		return nil, err
	}
	if t.value, err = layout.EncodeIntent(layout.NewStoredIntent(intent, t.writeID, replaced)); err != nil {
		return nil, err
	}
	t.usesReserve = len(fences) > 0 && endsOperation(intent, replaced.ActiveOperation())
	then := append([]*pb.RequestOp{etcd.PutOp([]byte(t.key()), []byte(t.value))},
		s.keys.UpdateOperationIndex(intent.GameID, replaced.ActiveOperation(), intent.Current)...)
	then = append(then, s.keys.UpdateOperationIDs(replaced.ToIntent(), intent)...)
	t.Request = &pb.TxnRequest{Compare: t.compares(), Success: then, Failure: t.reads}
	return t, nil
}

func (t *intentTxn) compares() []*pb.Compare {
	compares := []*pb.Compare{etcd.CompareModRevision([]byte(t.key()), t.ifRevision), t.store.compareSchema()}
	for _, fence := range t.fences {
		if !planted.Is(planted.UnfencedWrite) {
			compares = append(compares, compareFence(fence))
		}
	}
	if t.isInsert() {
		// The absence of the intent alone would hold a second time after its game is deleted.
		compares = append(compares, t.store.compareDeletionEpoch(t.Game, t.seenRevision))
	}
	return compares
}

// withSeenRevision returns the same write for tries that follow the revision.
func (t *intentTxn) withSeenRevision(revision int64) *intentTxn {
	next := *t
	next.seenRevision = revision
	next.Request = &pb.TxnRequest{Compare: next.compares(), Success: t.Request.GetSuccess(), Failure: t.Request.GetFailure()}
	return &next
}

func (t *intentTxn) isInsert() bool { return t.ifRevision == 0 }

// loadReplaced returns the replaced intent, zero for an insert. It reads the current intent only
// if replaces does not include it, or without a cache that knows a revision: then a conflict
// with an intent whose history is compacted could not be distinguished from an applied try.
func (t *intentTxn) loadReplaced(ctx context.Context, replaces ports.IntentVersion) (layout.StoredIntent, error) {
	kv := &mvccpb.KeyValue{Key: []byte(t.key()), Value: []byte(replaces.Stored())}
	isKnown := replaces.Revision == 0 || replaces.Stored() != ""
	if !isKnown || t.seenRevision == 0 {
		state, err := t.readState(ctx)
		if err != nil {
			return layout.StoredIntent{}, err
		}
		if t.checkPreconditions(state) != nil {
			return layout.StoredIntent{}, t.conflictError(state)
		}
		t.seenRevision = max(t.seenRevision, state.asOf)
		kv = state.kv
	}
	if replaces.Revision == 0 {
		return layout.StoredIntent{}, nil
	}
	return t.store.keys.DecodeIntent(kv)
}

func (t *intentTxn) key() string { return t.store.keys.Intent(t.Game) }

func (t *intentTxn) id() string { return t.writeID }

func (t *intentTxn) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	if t.usesReserve {
		ctx = etcd.UseReserve(ctx)
	}
	return t.SendDirect(ctx, t.store.etcd)
}

func (t *intentTxn) sendAlone(ctx context.Context) (*clientv3.TxnResponse, error) { return t.send(ctx) }

// hasReserve implements casTxn: send has used the reserve already.
func (t *intentTxn) hasReserve() bool { return false }

// endsOperation reports whether an intent ends an operation or a game: the outcome or the
// rollback of an operation, or a step of a stop or cleanup.
func endsOperation(intent operation.Intent, replaced *operation.Operation) bool {
	op := intent.Current
	if op == nil {
		return replaced != nil
	}
	return op.Kind == operation.KindStop || op.Kind == operation.KindCleanup || op.PreemptedBy != nil || op.Step == operation.StepRollingBack
}

func (t *intentTxn) resultOf(resp *clientv3.TxnResponse) int64 { return resp.Header.GetRevision() }

func (t *intentTxn) readState(ctx context.Context) (intentState, error) {
	resp, err := t.store.etcd.ReadOps(ctx, t.reads)
	if err != nil {
		return intentState{}, err
	}
	return t.decodeState(resp)
}

// decodeState does not decode the intent itself: a corrupt one does not prevent the search for
// an applied try.
func (t *intentTxn) decodeState(resp *clientv3.TxnResponse) (state intentState, err error) {
	state.asOf = resp.Header.GetRevision()
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		state.kv = kvs[0]
	}
	last := 1 + len(t.fences)
	for _, r := range resp.Responses[1:last] {
		state.leaders = append(state.leaders, r.GetResponseRange().GetKvs())
	}
	if t.isInsert() {
		state.lastDeletion = decodeDeletionEpoch(resp.Responses[last])
	}
	return state, nil
}

func (t *intentTxn) isBase(state intentState) bool {
	return state.revision() == t.ifRevision && state.lastDeletion <= t.seenRevision
}

// errContradiction is returned if a compare failed that holds.
var errContradiction = errors.New("etcd reported a failed compare of values that are as expected")

// explainFailedCompare checks the fences and the schema, which are all that a transaction compares
// in addition to the revision and the deletion epoch. A fence that was lost stays lost.
func (t *intentTxn) explainFailedCompare(ctx context.Context, resp *clientv3.TxnResponse) error {
	state, err := t.decodeState(resp)
	if err == nil {
		err = t.checkPreconditions(state)
	}
	if err == nil {
		err = t.store.checkSchema(ctx)
	}
	if err == nil {
		err = outcomeUnknown(ctx, t.id(), errContradiction)
	}
	return err
}

// findApplied implements casTxn: it searches the values that the key has had since the first
// try, which etcd keeps until compaction, the newest first.
func (t *intentTxn) findApplied(ctx context.Context, state intentState, isAmbiguous bool) (revision int64, isApplied bool, err error) {
	oldest := t.ifRevision
	if state.asOf >= t.seenRevision { // otherwise the revision of etcd went back
		oldest = max(oldest, t.seenRevision)
	}
	for kv := state.kv; ; {
		switch {
		case kv == nil && isAmbiguous && (t.ifRevision > 0 || state.lastDeletion > oldest):
			return 0, false, outcomeUnknown(ctx, t.id(), errIntentDeleted)
		case kv == nil || kv.GetModRevision() <= oldest:
			return 0, false, nil // older than the first try
		}
		if stored, err := t.store.keys.DecodeIntent(kv); err == nil && stored.WriteID == t.id() {
			return kv.GetModRevision(), true, nil
		}
		previous := kv.GetModRevision() - 1
		if t.isInsert() && kv.GetVersion() > 1 {
			previous = kv.GetCreateRevision() // an insert can only have written the first value
		}
		resp, err := t.store.etcd.Get(ctx, t.key(), clientv3.WithRev(previous))
		if err != nil {
			return 0, false, outcomeUnknown(ctx, t.id(), fmt.Errorf("the history may be compacted: %w", err))
		}
		kv = nil
		if len(resp.Kvs) > 0 {
			kv = resp.Kvs[0]
		}
	}
}

var errIntentDeleted = errors.New("the intent may have been deleted since")

// checkPreconditions returns runtime.ErrFenced or a *runtime.ConflictError unless fences and
// revision are as the write expects. A lost fence takes precedence.
func (t *intentTxn) checkPreconditions(state intentState) error {
	for i, fence := range t.fences {
		if err := checkFence(fence, state.leaders[i]); err != nil {
			return err
		}
	}
	if state.revision() == t.ifRevision {
		return nil
	}
	return runtime.NewRevisionConflict(t.Game, t.ifRevision, runtime.VersionedRecord{Revision: state.revision()})
}

// conflictError returns why a write was not applied on the state. It includes
// runtime.ErrCorrupt if the intent is corrupt.
func (t *intentTxn) conflictError(state intentState) error {
	err := t.checkPreconditions(state)
	if state.kv == nil || errors.Is(err, runtime.ErrFenced) {
		return err
	}
	if _, errDecode := t.store.keys.DecodeIntent(state.kv); errDecode != nil {
		return fmt.Errorf("%w: %w", err, errDecode)
	}
	return err
}

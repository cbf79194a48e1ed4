package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// PutIntent implements ports.IntentStore by one compare-and-swap. It carries members of
// the replaced intent along that only a newer version knows; if the replaced version
// does not include them, the intent is read first.
//
// One case is not detected: an ambiguous insert whose key another client deletes is
// written a second time.
func (s *Store) PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error) {
	var none ports.IntentVersion
	if err := ports.ValidateIntent(intent, replaces.Revision, fences); err != nil {
		return none, err
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return none, err
	}
	defer done()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()

	w := &intentWrite{
		store: s, gameID: intent.GameID, key: s.keys.Intent(intent.GameID), ifRevision: replaces.Revision,
		fences: fences, id: uuid.NewString(), seenRevision: s.cachedUpTo(),
	}
	revision, err := w.write(ctx, intent, replaces)
	if err != nil {
		return none, fmt.Errorf("put the intent of game %q: %w", intent.GameID, err)
	}
	return ports.NewIntentVersion(revision, w.value), nil
}

// intentWrite is one write of one intent.
type intentWrite struct {
	store      *Store
	gameID     string
	key        string
	ifRevision int64
	fences     []node.Fence
	id         string        // in the value that it leaves
	value      string        // the same bytes however often it is sent
	moves      []clientv3.Op // of the index of operations
	// seenRevision is a revision that etcd had reached before the write was first sent.
	seenRevision int64
}

func (w *intentWrite) write(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion) (int64, error) {
	before, err := w.loadReplaced(ctx, replaces)
	if err != nil {
		return 0, err
	}
	if w.value, err = layout.EncodeIntent(layout.NewStoredIntent(intent, w.id, before)); err != nil {
		return 0, err
	}
	w.moves = w.store.keys.UpdateOperationIndex(intent.GameID, before.ActiveOperation(), intent.Current)
	return w.commit(ctx)
}

// loadReplaced returns the intent that the write replaces, zero if it inserts one. It is
// read from etcd if the version does not include it; a read also finds most conflicts.
func (w *intentWrite) loadReplaced(ctx context.Context, replaces ports.IntentVersion) (layout.StoredIntent, error) {
	kv := &mvccpb.KeyValue{Key: []byte(w.key), Value: []byte(replaces.Stored())}
	switch {
	case replaces.Revision == 0:
		return layout.StoredIntent{}, nil
	case replaces.Stored() == "":
		now, err := w.look(ctx)
		if err == nil {
			err = w.expect(now)
		}
		if err != nil {
			return layout.StoredIntent{}, err
		}
		kv = now.kv
	}
	return w.store.keys.DecodeIntent(kv)
}

// intentView is what stands of an intent, and of the fences of a write, at one revision.
type intentView struct {
	kv      *mvccpb.KeyValue // nil where there is none
	leaders [][]*mvccpb.KeyValue
}

func (v intentView) revision() int64 { return v.kv.GetModRevision() }

// expect returns nil when fences and revision are what the write expects.
func (w *intentWrite) expect(now intentView) error {
	for i := range w.fences {
		if err := checkFence(&w.fences[i], now.leaders[i]); err != nil {
			return err
		}
	}
	if now.revision() == w.ifRevision {
		return nil
	}
	return &runtime.ConflictError{
		GameID: w.gameID, Precondition: runtime.PreconditionRevision,
		Expected: strconv.FormatInt(w.ifRevision, 10), Actual: strconv.FormatInt(now.revision(), 10), Revision: now.revision(),
	}
}

// truth asks for an intentView.
func (w *intentWrite) truth() []clientv3.Op {
	gets := []clientv3.Op{clientv3.OpGet(w.key)}
	for _, fence := range w.fences {
		gets = append(gets, clientv3.OpGet(fence.Key, clientv3.WithKeysOnly()))
	}
	return gets
}

func (w *intentWrite) view(resp *clientv3.TxnResponse) intentView {
	var v intentView
	if kvs := resp.Responses[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		v.kv = kvs[0]
	}
	for _, answer := range resp.Responses[1:] {
		v.leaders = append(v.leaders, answer.GetResponseRange().GetKvs())
	}
	return v
}

// look reads what stands by one linearizable transaction.
func (w *intentWrite) look(ctx context.Context) (intentView, error) {
	resp, err := etcd.RetryRead(ctx, w.store.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return w.store.client.Txn(ctx).Then(w.truth()...).Commit()
	})
	if err != nil {
		return intentView{}, err
	}
	return w.view(resp), nil
}

// send makes one try.
func (w *intentWrite) send(ctx context.Context) (*clientv3.TxnResponse, error) {
	compares := []clientv3.Cmp{clientv3.Compare(clientv3.ModRevision(w.key), "=", w.ifRevision)}
	for _, fence := range w.fences {
		compares = append(compares, clientv3.Compare(clientv3.CreateRevision(fence.Key), "=", fence.CreateRevision))
	}
	return w.store.client.Txn(ctx).If(compares...).
		Then(append([]clientv3.Op{clientv3.OpPut(w.key, w.value)}, w.moves...)...).Else(w.truth()...).Commit()
}

// commit sends the write until it knows what became of it, as Store.commit does
// with a record's, and with the same promise about the error.
func (w *intentWrite) commit(ctx context.Context) (int64, error) {
	pause := etcd.NewBackoff()
	for doubted := false; ; {
		if ctx.Err() != nil && !doubted {
			return 0, etcd.Unavailable(ctx, errNotSent)
		}
		resp, err := etcd.TryOnce(ctx, w.store.etcd, w.send)
		switch {
		case err == nil && resp.Succeeded:
			return resp.Header.GetRevision(), nil
		case err == nil:
			return w.settle(ctx, resp, doubted)
		case etcd.Classify(err) == etcd.Ambiguous:
			doubted = true
		case etcd.Classify(err) == etcd.Permanent && !doubted && !etcd.MayHaveApplied(err):
			return 0, etcd.ToDomainError(err)
		case etcd.Classify(err) == etcd.Permanent:
			if decided, revision, answer := w.afterRefusal(ctx, err, doubted); decided {
				return revision, answer
			}
		}
		if !pause.Wait(ctx) {
			if !doubted {
				return 0, etcd.Unavailable(ctx, err)
			}
			return 0, unknownOutcome(ctx, w.id, err)
		}
		w.store.log.Debug("etcd did not answer a write; sending it again", "game_id", w.gameID, "write", w.id, "error", err)
	}
}

// afterRefusal looks what a refusal means that may have come after the write was
// applied. It is not decided while an earlier try may still be on its way.
func (w *intentWrite) afterRefusal(ctx context.Context, refusal error, doubted bool) (decided bool, revision int64, err error) {
	now, errLook := w.look(ctx)
	switch {
	case errLook == nil && now.revision() != w.ifRevision:
		revision, err = w.resolve(ctx, now, true)
		return true, revision, err
	case errLook == nil && !doubted:
		return true, 0, etcd.ToDomainError(refusal) // answered, and not applied
	case !doubted:
		return true, 0, unknownOutcome(ctx, w.id, refusal)
	}
	return false, 0, nil
}

// settle reads what a failed compare says. It may be the work of an earlier try,
// or of one that the etcd client has sent on its own, so it is always resolved.
func (w *intentWrite) settle(ctx context.Context, resp *clientv3.TxnResponse, doubted bool) (int64, error) {
	if err := w.store.etcd.CheckCluster(resp.Header.GetClusterId()); err != nil {
		if doubted {
			err = unknownOutcome(ctx, w.id, err)
		}
		return 0, err
	}
	now := w.view(resp)
	if now.revision() != w.ifRevision {
		return w.resolve(ctx, now, doubted)
	}
	if err := w.expect(now); err != nil {
		return 0, err // a fence that is lost stays lost, so no try will pass any more
	}
	return 0, unknownOutcome(ctx, w.id, errContradiction)
}

// resolve finds out whether some try of the write was applied, now that the
// intent has moved on and none can be any more. It reads the values that the key has had
// since the write was first sent, the newest first, as Store.searchHistory does.
func (w *intentWrite) resolve(ctx context.Context, now intentView, doubted bool) (int64, error) {
	kv := now.kv
	for {
		switch {
		case kv == nil && w.ifRevision > 0 && doubted:
			return 0, unknownOutcome(ctx, w.id, errIntentDeleted)
		case kv == nil || kv.GetModRevision() <= max(w.ifRevision, w.seenRevision):
			return 0, w.expectReadable(now) // older than the write
		}
		if stored, err := w.store.keys.DecodeIntent(kv); err == nil && stored.WriteID == w.id {
			return kv.GetModRevision(), nil
		}
		at := kv.GetModRevision() - 1
		if w.ifRevision == 0 && kv.GetVersion() > 1 {
			at = kv.GetCreateRevision() // an insert can only have left the first value
		}
		resp, err := w.store.etcd.Get(ctx, w.key, clientv3.WithRev(at))
		if err != nil {
			return 0, unknownOutcome(ctx, w.id, fmt.Errorf("its trace may be gone: %w", err))
		}
		kv = nil
		if len(resp.Kvs) > 0 {
			kv = resp.Kvs[0]
		}
	}
}

var (
	errIntentDeleted = errors.New("the intent has been deleted since")
	errContradiction = errors.New("etcd says that something is not as expected, and shows that all is")
)

// expectReadable is expect for a write that was not applied. The error includes
// runtime.ErrCorrupt if the intent cannot be read.
func (w *intentWrite) expectReadable(now intentView) error {
	err := w.expect(now)
	if now.kv == nil || errors.Is(err, runtime.ErrFenced) {
		return err
	}
	_, errDecode := w.store.keys.DecodeIntent(now.kv)
	switch {
	case errDecode == nil:
		return err
	case err == nil:
		return errDecode
	default:
		return fmt.Errorf("%w: %w", err, errDecode)
	}
}

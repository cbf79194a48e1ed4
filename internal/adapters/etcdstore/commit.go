package etcdstore

import (
	"context"
	"errors"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// prepared is one write made ready: the same bytes are sent however often it
// has to be sent.
type prepared struct {
	change   change
	base     view
	after    layout.StoredRecord
	compares []clientv3.Cmp
	puts     []clientv3.Op
	truth    []clientv3.Op // what a failed compare brings back
	bytes    int           // about what it takes of a request
	// send makes one try on its own.
	send func(ctx context.Context) (*clientv3.TxnResponse, error)
}

// How many keys a write names, and what each adds beyond the record's own: for
// bounding requests, where too much does no harm.
const (
	keysOfWrite = 16
	keyOverhead = 64
)

// prepare computes the transaction that makes the change: the record, its index
// and its ledger entry in one, if nobody has touched the record since base, its
// index keys are what they ought to be, and the fence holds.
func (s *Store) prepare(c change, base view) (*prepared, error) {
	w := &prepared{change: c, base: base}
	stored := layout.StoredRecord{LastWrite: layout.LastWrite{OperationID: c.origin.OperationID, Seq: base.newestSeq() + 1, Kind: c.verb}}
	entry := layout.StoredLedgerEntry{
		Seq: stored.LastWrite.Seq, To: c.to, At: c.at,
		OperationID: c.origin.OperationID, Actor: c.origin.Actor, Reason: c.origin.Reason,
	}
	var before runtime.RuntimeRecord
	if base.record != nil {
		before = base.record.RuntimeRecord
		stored.Unknown = base.record.Unknown
		entry.From = before.Status
	}
	after, err := c.apply(before)
	if err != nil {
		return nil, err
	}
	stored.RuntimeRecord = after
	w.after = stored
	entry.ContainerID, entry.Image = after.CurrentContainerID, after.CurrentImageRef

	recordValue, err := layout.EncodeRecord(stored)
	if err != nil {
		return nil, err
	}
	entryValue, err := layout.EncodeLedgerEntry(entry)
	if err != nil {
		return nil, err
	}

	recordKey := s.keys.Record(c.gameID)
	// etcd's operations are large: each list is made once, with room for all.
	w.compares, w.puts, w.truth = make([]clientv3.Cmp, 0, 6), make([]clientv3.Op, 0, 4), make([]clientv3.Op, 0, 3)
	w.compares = append(w.compares, clientv3.Compare(clientv3.ModRevision(recordKey), "=", base.revision()))
	w.truth = append(w.truth,
		clientv3.OpGet(recordKey),
		clientv3.OpGet(s.keys.LedgerOf(c.gameID), clientv3.WithPrefix()),
	)
	w.compares = s.keys.CompareStatusIndex(w.compares, c.gameID, base.record)
	if base.record == nil {
		// Absence alone would hold again once somebody has deleted the record that an
		// earlier try inserted. The ledger outlives it, unless that is taken away too.
		w.compares = append(w.compares, clientv3.Compare(clientv3.ModRevision(s.keys.LedgerOf(c.gameID)), "<", base.at+1).WithPrefix())
	}
	if base.record != nil && before.Status != after.Status {
		w.puts = append(w.puts, clientv3.OpDelete(s.keys.StatusIndexKey(before.Status, c.gameID)))
	}
	if c.fence != nil {
		w.compares = append(w.compares, clientv3.Compare(clientv3.CreateRevision(c.fence.Key), "=", c.fence.CreateRevision))
		w.truth = append(w.truth, clientv3.OpGet(c.fence.Key, clientv3.WithKeysOnly()))
	}
	w.puts = append(w.puts,
		clientv3.OpPut(recordKey, recordValue),
		clientv3.OpPut(s.keys.StatusIndexKey(after.Status, c.gameID), after.CurrentContainerID),
		clientv3.OpPut(s.keys.LedgerEntry(c.gameID, entry.Seq), entryValue),
	)
	w.bytes = len(recordValue) + len(entryValue) + keysOfWrite*(len(recordKey)+keyOverhead) +
		len(before.CurrentContainerID) + len(after.CurrentContainerID)
	if c.fence != nil {
		w.bytes += 2 * len(c.fence.Key)
	}
	w.send = func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.client.Txn(ctx).If(w.compares...).Then(w.puts...).Else(w.truth...).Commit()
	}
	return w, nil
}

// outcome is what became of a prepared write.
type outcome struct {
	written *runtime.VersionedRecord // what the write left; nil when it was not applied
	lost    view                     // what stands instead, when not
}

// commit sends the write until it knows what became of it. The same bytes go
// out every time, with the same operation id and the same compared revision, so
// that of all the tries at most one is applied, however late it lands.
//
// It returns an error when nothing was written and never will be, or one that
// errors.Is runtime.ErrOutcomeUnknown when ctx ended first.
func (s *Store) commit(ctx context.Context, w *prepared) (outcome, error) {
	pause := etcd.NewBackoff()
	for doubts := 0; ; {
		if ctx.Err() != nil && doubts == 0 {
			return outcome{}, etcd.Unavailable(ctx, errNotSent)
		}
		resp, err := s.send(ctx, w)
		if err == nil {
			var out outcome
			if out, err = s.settle(ctx, w, resp, doubts > 0); !errors.Is(err, errMovedOn) {
				return out, err
			}
		}
		verdict := etcd.Classify(err)
		if errors.Is(err, errNotSent) || errors.Is(err, errMovedOn) {
			verdict = etcd.Retryable
		}
		switch {
		case verdict == etcd.Ambiguous:
			doubts++
		case verdict == etcd.Permanent && doubts == 0 && !etcd.MayHaveApplied(err):
			return outcome{}, etcd.ToDomainError(err)
		}
		// Past a doubtful try a refusal decides nothing: the earlier one may have
		// been applied, or may yet be. An answered compare can tell, or a read that
		// shows the game to have moved on.
		if verdict == etcd.Permanent {
			stands, errLook := s.look(ctx, w.change.gameID)
			switch {
			case errLook == nil && !stands.same(w.base):
				written, err := s.resolve(ctx, w, stands, true)
				return outcome{written: written, lost: stands}, err
			case errLook == nil && doubts == 0:
				return outcome{}, etcd.ToDomainError(err) // answered, and not applied
			case doubts == 0:
				return outcome{}, unknownOutcome(ctx, w.change.origin.OperationID, err)
			}
		}
		if !pause.Wait(ctx) {
			if doubts == 0 {
				return outcome{}, etcd.Unavailable(ctx, err)
			}
			return outcome{}, unknownOutcome(ctx, w.change.origin.OperationID, err)
		}
		s.log.Debug("etcd did not answer a write; sending it again", "game_id", w.change.gameID, "operation_id", w.change.origin.OperationID, "error", err)
	}
}

// send makes one try of the write, in company where there is some.
func (s *Store) send(ctx context.Context, w *prepared) (*clientv3.TxnResponse, error) {
	if s.group == nil {
		return etcd.TryOnce(ctx, s.etcd, w.send)
	}
	return s.group.send(ctx, w)
}

var errNotSent = errors.New("the write was not sent")

// settle reads what an answered transaction says. A failed compare may be the
// work of an earlier try of the same write: one that was in doubt, or one that
// the etcd client has sent on its own and never spoke of. So every one is
// resolved, doubted or not.
func (s *Store) settle(ctx context.Context, w *prepared, resp *clientv3.TxnResponse, doubted bool) (outcome, error) {
	if resp.Succeeded {
		revision := resp.Header.GetRevision()
		left := layout.Record{StoredRecord: w.after, CreateRevision: revision, ModRevision: revision}
		if w.base.record != nil {
			left.CreateRevision = w.base.record.CreateRevision
		}
		left.RuntimeRecord = left.Clone() // the caller's pointers are in it
		s.learn(&left)
		written := left.Versioned()
		return outcome{written: &written}, nil
	}
	stands, err := s.readView(resp)
	if err == nil {
		err = s.etcd.CheckCluster(resp.Header.GetClusterId())
	}
	if err == nil && !stands.same(w.base) {
		written, err := s.resolve(ctx, w, stands, doubted)
		return outcome{written: written, lost: stands}, err
	}
	if err == nil {
		err = s.unmet(ctx, w, resp)
	}
	switch moved := errors.Is(err, errMovedOn); {
	case moved && doubted:
		return outcome{}, err // nothing but the same bytes may follow a try in doubt
	case moved:
		return outcome{lost: stands}, nil // computed anew from what stands
	}
	if doubted && !errors.Is(err, runtime.ErrFenced) {
		// A fence that is lost stays lost, but damage may be mended, and an earlier
		// try that is still on its way will pass then.
		err = unknownOutcome(ctx, w.change.origin.OperationID, err)
	}
	return outcome{}, err
}

// errMovedOn tells that a write which etcd would not have may be sent again: what
// was in its way has gone, or the game has moved on.
var errMovedOn = errors.New("what was in the way of the write has gone")

// unmet explains a compare that failed though the record is the one expected.
func (s *Store) unmet(ctx context.Context, w *prepared, resp *clientv3.TxnResponse) error {
	if w.change.fence != nil {
		leader := resp.Responses[len(w.truth)-1].GetResponseRange().GetKvs()
		if err := checkFence(w.change.fence, leader); err != nil {
			return err
		}
	}
	if err := s.indexDamage(ctx, w); err != nil {
		return err
	}
	return errMovedOn
}

// indexDamage looks for the index key on which a write's compares have failed. It
// asks for the keys only now: damage is rare, and every write would carry them. It
// returns nil where it finds none, or the record is not the one expected any more.
func (s *Store) indexDamage(ctx context.Context, w *prepared) error {
	gets := []clientv3.Op{clientv3.OpGet(s.keys.Record(w.change.gameID))}
	for _, status := range runtime.Statuses() {
		gets = append(gets, clientv3.OpGet(s.keys.StatusIndexKey(status, w.change.gameID)))
	}
	found, err := s.getEach(ctx, gets)
	if err != nil {
		return err
	}
	if found[0].GetModRevision() != w.base.revision() {
		return nil
	}
	for i, status := range runtime.Statuses() {
		held := found[1+i]
		if reason := layout.StatusIndexFault(w.base.record, status, held); reason != "" {
			return &runtime.CorruptError{Key: s.keys.StatusIndexKey(status, w.change.gameID), GameID: w.change.gameID, Reason: reason}
		}
	}
	return nil
}

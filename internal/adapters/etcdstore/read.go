package etcdstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
)

// Get implements ports.RuntimeRecordStore.
func (s *Store) Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error) {
	found, err := s.GetVersioned(ctx, gameID)
	return found.Record, err
}

// GetVersioned implements ports.RuntimeReader.
func (s *Store) GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if found, ok := s.getCached(ctx, gameID); ok {
		return found, nil
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	defer done()
	found, _, err := s.getFromEtcd(ctx, gameID)
	return found, err
}

// GetLocal implements ports.RuntimeReader.
func (s *Store) GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, 0, err
	}
	defer done()
	if s.feed != nil {
		if e, asOf, filled := s.feed.cache.get(gameID); filled && s.feed.local.reached(asOf) {
			found, err := e.found(gameID)
			return found, asOf, err
		}
	}
	found, asOf, err := s.getFromEtcd(ctx, gameID)
	s.toldLocally(asOf)
	return found, asOf, err
}

// found is what a read of the game says of what stands at its key, nil for
// nothing.
func (e *entry) found(gameID string) (runtime.VersionedRecord, error) {
	switch {
	case e == nil:
		return runtime.VersionedRecord{}, fmt.Errorf("get game %q: %w", gameID, runtime.ErrNotFound)
	case e.fault != nil:
		return runtime.VersionedRecord{}, fmt.Errorf("get game %q: %w", gameID, e.fault)
	default:
		return e.Versioned(), nil
	}
}

// getFromEtcd reads a record by one linearizable read, and tells its revision.
func (s *Store) getFromEtcd(ctx context.Context, gameID string) (found runtime.VersionedRecord, asOf int64, err error) {
	seen, err := s.lookAtRecord(ctx, gameID)
	if err == nil && seen.record == nil {
		err = runtime.ErrNotFound
	}
	if err != nil {
		return runtime.VersionedRecord{}, seen.at, fmt.Errorf("get game %q: %w", gameID, err)
	}
	return seen.record.Versioned(), seen.at, nil
}

// History implements ports.RuntimeLedger by one read of record and ring at one
// revision.
func (s *Store) History(ctx context.Context, gameID string) ([]runtime.LedgerEntry, error) {
	if err := runtime.ValidateGameID(gameID); err != nil {
		return nil, err
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	seen, err := s.look(ctx, gameID)
	if err != nil {
		return nil, fmt.Errorf("history of game %q: %w", gameID, err)
	}
	if seen.record == nil {
		return nil, fmt.Errorf("history of game %q: %w", gameID, runtime.ErrNotFound)
	}
	return seen.history(), errors.Join(seen.ledgerFaults...)
}

// view is a game's record and ledger at one revision.
type view struct {
	at     int64          // the revision
	record *layout.Record // nil where there is none
	ledger []runtime.LedgerEntry
	// ledgerFaults are the *runtime.CorruptErrors of entries not in ledger.
	ledgerFaults []error
}

// lookAtRecord reads a game's record without its ledger.
func (s *Store) lookAtRecord(ctx context.Context, gameID string) (view, error) {
	resp, err := s.etcd.Get(ctx, s.keys.Record(gameID))
	if err != nil {
		return view{}, err
	}
	v := view{at: resp.Header.GetRevision()}
	if len(resp.Kvs) > 0 {
		v.record, err = s.keys.DecodeRecord(resp.Kvs[0])
	}
	return v, err
}

// look reads a game's record and ledger in one linearizable transaction.
func (s *Store) look(ctx context.Context, gameID string) (view, error) {
	resp, err := etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.client.Txn(ctx).Then(
			clientv3.OpGet(s.keys.Record(gameID)),
			clientv3.OpGet(s.keys.LedgerOf(gameID), clientv3.WithPrefix()),
		).Commit()
	})
	if err != nil {
		return view{}, err
	}
	return s.readView(resp)
}

// lookWhereAbsent reads a game's record, and its ledger only where there is no
// record, in one linearizable transaction.
func (s *Store) lookWhereAbsent(ctx context.Context, gameID string) (view, error) {
	key := s.keys.Record(gameID)
	resp, err := etcd.RetryRead(ctx, s.etcd, func(ctx context.Context) (*clientv3.TxnResponse, error) {
		return s.client.Txn(ctx).
			If(clientv3.Compare(clientv3.CreateRevision(key), ">", 0)).
			Then(clientv3.OpGet(key)).
			Else(clientv3.OpGet(key), clientv3.OpGet(s.keys.LedgerOf(gameID), clientv3.WithPrefix())).
			Commit()
	})
	if err != nil {
		return view{}, err
	}
	return s.readView(resp)
}

// getEach reads keys in one linearizable transaction, and gives nil for one that is
// not there.
func (s *Store) getEach(ctx context.Context, gets []clientv3.Op) ([]*mvccpb.KeyValue, error) {
	resp, err := s.etcd.ReadTxn(ctx, gets...)
	if err != nil {
		return nil, err
	}
	found := make([]*mvccpb.KeyValue, len(gets))
	for i, answer := range resp.Responses {
		if kvs := answer.GetResponseRange().GetKvs(); len(kvs) > 0 {
			found[i] = kvs[0]
		}
	}
	return found, nil
}

// readView takes a record and its ledger from the first two answers of a
// transaction that asked for them in this order, or for the record alone.
func (s *Store) readView(resp *clientv3.TxnResponse) (v view, err error) {
	v.at = resp.Header.GetRevision()
	answers := resp.Responses
	if kvs := answers[0].GetResponseRange().GetKvs(); len(kvs) > 0 {
		if v.record, err = s.keys.DecodeRecord(kvs[0]); err != nil {
			return view{}, err
		}
	}
	if len(answers) == 1 {
		return v, nil
	}
	for _, kv := range answers[1].GetResponseRange().GetKvs() {
		entry, err := s.keys.DecodeLedgerEntry(kv)
		if err != nil {
			v.ledgerFaults = append(v.ledgerFaults, err)
			continue
		}
		v.ledger = append(v.ledger, entry)
	}
	return v, nil
}

// history returns the entries that lead to the present record, newest first.
// An entry numbered above the record's is of an earlier life of the same id.
func (v view) history() []runtime.LedgerEntry {
	entries := slices.DeleteFunc(slices.Clone(v.ledger), func(e runtime.LedgerEntry) bool {
		return e.Seq > v.record.LastWrite.Seq
	})
	slices.SortFunc(entries, func(a, b runtime.LedgerEntry) int { return cmp.Compare(b.Seq, a.Seq) })
	return entries
}

// revision is that of the record's last change, 0 where there is no record.
func (v view) revision() int64 {
	if v.record == nil {
		return 0
	}
	return v.record.ModRevision
}

// same reports whether nothing has been written to the game since base. The
// ledger tells where there is no record, since it outlives the one it is of.
func (v view) same(base view) bool {
	return v.revision() == base.revision() && (base.record != nil || v.newestSeq() == base.newestSeq())
}

// newestSeq returns the number of the newest ledger entry, 0 without one. A
// game that is inserted again goes on counting from there.
func (v view) newestSeq() int64 {
	newest := int64(0)
	if v.record != nil {
		newest = v.record.LastWrite.Seq
	}
	for _, e := range v.ledger {
		newest = max(newest, e.Seq)
	}
	return newest
}

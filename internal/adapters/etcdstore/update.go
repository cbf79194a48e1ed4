package etcdstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	pb "go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// Put implements ports.RuntimeWriter. Like every write it is a compare-and-swap: a blind put
// that was sent twice could undo another writer's.
func (s *Store) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	record := input.Record.InUTC()
	return s.write(ctx, mutation{
		gameID: record.GameID,
		kind:   layout.WriteUpsert,
		to:     record.Status,
		at:     input.EntryTime(),
		origin: input.Origin, contentsHash: input.ContentsHash(),
		fence: input.Fence,
		guard: input.Guard,
		precondition: func(current *layout.Record) error {
			return checkRevision(record.GameID, input.IfRevision, current)
		},
		apply: func(runtime.RuntimeRecord) (runtime.RuntimeRecord, error) { return record, nil },
	})
}

// Transition implements ports.RuntimeWriter.
func (s *Store) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, mutation{
		gameID:       input.GameID,
		kind:         layout.WriteTransition,
		to:           input.To,
		at:           input.Now.UTC(),
		origin:       input.Origin,
		contentsHash: input.ContentsHash(),
		fence:        input.Fence,
		guard:        input.Guard,
		precondition: func(current *layout.Record) error { return checkTransition(input.UpdateStatusInput, current) },
		apply: func(before runtime.RuntimeRecord) (runtime.RuntimeRecord, error) {
			after, err := input.Apply(before)
			after.SetUTC()
			return after, err
		},
	})
}

// mutation is one write of one record. Its functions are pure: they run once for each base
// that the write is tried on.
type mutation struct {
	gameID string
	kind   layout.WriteKind
	to     runtime.Status
	at     time.Time
	origin ports.Origin
	// contentsHash is compared with that of an earlier write that has the operation id.
	contentsHash string
	fence        *node.Fence
	// isNamed means that the operation id is the caller's, so that an earlier write may have it.
	isNamed bool
	guard   ports.OperationGuard
	// precondition returns nil if the caller's expectations hold for the current record, nil
	// for none.
	precondition func(current *layout.Record) error
	// apply returns the new record for the current one, zero for none.
	apply func(runtime.RuntimeRecord) (runtime.RuntimeRecord, error)
}

// write executes a mutation within the store's lifetime and OperationTimeout.
func (s *Store) write(ctx context.Context, m mutation) (runtime.VersionedRecord, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	defer end()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()

	result, err := s.compareAndSwap(ctx, m)
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("%s game %q: %w", m.kind, m.gameID, err)
	}
	return result, nil
}

// compareAndSwap replaces the record by the mutated one, on one base after the other, as long
// as the precondition holds.
func (s *Store) compareAndSwap(ctx context.Context, m mutation) (runtime.VersionedRecord, error) {
	base, isCached := s.baseFromCache(m)
	if isCached && m.precondition(base.record) != nil && !planted.Is(planted.StaleConflict) {
		isCached = false // a stale base must not fail the precondition
	}
	if !isCached {
		var err error
		if base, err = s.loadBase(ctx, m); err != nil {
			return runtime.VersionedRecord{}, err
		}
	}
	m.isNamed = m.origin.OperationID != ""
	m.origin.OperationID = cmp.Or(m.origin.OperationID, operation.NewID())
	for {
		if base.hasOperation(m.origin.OperationID) && !planted.Is(planted.BlindResend) {
			return m.replayResult(base)
		}
		if err := m.precondition(base.record); err != nil {
			return runtime.VersionedRecord{}, s.preferFenceError(ctx, m.fence, err)
		}
		txn, err := s.newRecordTxn(m, base)
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		result, err := commit(ctx, s, txn)
		txn.close()
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		if result.isApplied {
			return result.result, nil
		}
		// Another writer was first. Whether that matters is for the precondition to decide, of
		// a record that etcd has just returned.
		s.cacheWrite(result.state.record, txn.since)
		s.cacheLedger(result.state, txn.since)
		base = result.state
		if planted.Is(planted.NewIDResend) {
			m.origin.OperationID = operation.NewID()
		}
	}
}

// baseFromCache returns the cached record to base a mutation on, and false on a cache miss.
// The mutation's own transaction proves that the record is current.
//
// A request with an operation id may be a retry. It needs no read of the ledger if the cache
// knows every operation id that the ledger has at the record's last write: the transaction
// proves that there is no later one. An insert proves that there is no ledger.
func (s *Store) baseFromCache(m mutation) (gameState, bool) {
	if s.reflector == nil {
		return gameState{}, false
	}
	rec, asOf, isUsable := s.reflector.cache.WriteBase(m.gameID)
	if id := m.origin.OperationID; rec != nil && id != "" && !s.reflector.cache.ExcludesOperation(rec, id) {
		isUsable = false
	}
	return gameState{revision: asOf, record: rec, isLedgerUnread: true}, isUsable
}

// beginRequest returns what a request passes to cacheWrite and cacheLedger with its response.
func (s *Store) beginRequest() (since int64) {
	if s.reflector == nil {
		return 0
	}
	return s.reflector.cache.Begin()
}

// cacheWrite passes a record that etcd has returned to the cache; nil is ignored. since is that of
// beginRequest before the request.
func (s *Store) cacheWrite(rec *layout.Record, since int64) {
	if s.reflector != nil && rec != nil {
		s.reflector.cache.AddWrite(*rec, since)
	}
}

// cacheLedger passes the operation ids of a ledger that etcd has returned to the cache, so that the
// next writes with operation ids need not read it. A ledger that is not that of the record is ignored.
// since is that of beginRequest before the request.
func (s *Store) cacheLedger(state gameState, since int64) {
	if s.reflector == nil || state.record == nil || state.isLedgerUnread || len(state.ledgerErrs) > 0 {
		return
	}
	entries := slices.SortedFunc(slices.Values(state.ledger), func(a, b layout.LedgerEntry) int { return cmp.Compare(a.Seq, b.Seq) })
	ids := make([]string, len(entries))
	for i, e := range entries {
		ids[i] = e.OperationID
	}
	if last := len(entries) - 1; last >= 0 && entries[last].Seq == state.record.LastWrite.Seq {
		s.reflector.cache.AddLedger(state.record, ids, since)
	}
}

// loadBase reads the base of a mutation from etcd. The ledger is needed to detect a retry of
// an operation id, and to continue its numbers if there is no record.
func (s *Store) loadBase(ctx context.Context, m mutation) (gameState, error) {
	switch {
	case m.origin.OperationID != "":
		since := s.beginRequest()
		state, err := s.readRecordAndLedger(ctx, m.gameID)
		if err == nil {
			s.cacheLedger(state, since)
		}
		return state, err
	case m.kind == layout.WriteUpsert:
		return s.readRecordOrLedger(ctx, m.gameID)
	default:
		return s.readRecord(ctx, m.gameID)
	}
}

// replayResult returns the result of a mutation whose operation id was executed before.
func (m mutation) replayResult(current gameState) (runtime.VersionedRecord, error) {
	if err := m.checkIDReuse(current); err != nil {
		return runtime.VersionedRecord{}, err
	}
	if current.record == nil {
		return runtime.VersionedRecord{}, runtime.ErrNotFound
	}
	return current.record.Versioned(), nil
}

// checkIDReuse returns an *operation.IDReusedError if the ledger has the mutation's operation
// id for a write with other contents.
func (m mutation) checkIDReuse(current gameState) error {
	entry, found := current.ledgerEntry(m.origin.OperationID)
	if !found || entry.ContentsHash == "" || entry.ContentsHash == m.contentsHash || m.origin.IgnoreContents {
		return nil
	}
	return &operation.IDReusedError{GameID: m.gameID, OperationID: m.origin.OperationID}
}

// preferFenceError returns runtime.ErrFenced if the fence is not valid, and err otherwise.
// Lost leadership takes precedence over other errors.
func (s *Store) preferFenceError(ctx context.Context, fence *node.Fence, err error) error {
	if fence == nil {
		return err
	}
	resp, errGet := s.etcd.Get(ctx, fence.Key, clientv3.WithKeysOnly())
	if errGet != nil {
		return errGet
	}
	return cmp.Or(checkFence(*fence, resp.Kvs), err)
}

// checkFence returns runtime.ErrFenced unless the leader's key in etcd is the fence's.
func checkFence(fence node.Fence, leader []*mvccpb.KeyValue) error {
	if len(leader) > 0 && leader[0].GetCreateRevision() == fence.CreateRevision {
		return nil
	}
	return fmt.Errorf("%w: %s does not exist since revision %d", runtime.ErrFenced, fence.Key, fence.CreateRevision)
}

// compareFence compares that the leader's key is the fence's.
func compareFence(fence node.Fence) *pb.Compare {
	return etcd.CompareCreateRevision([]byte(fence.Key), fence.CreateRevision)
}

// checkRevision returns a *runtime.ConflictError unless the record has the expected revision;
// nil expects nothing.
func checkRevision(gameID string, expected *int64, current *layout.Record) error {
	var actual runtime.VersionedRecord
	if expected == nil {
		return nil
	}
	if current != nil {
		actual = current.Versioned()
	}
	if *expected == actual.Revision {
		return nil
	}
	return runtime.NewRevisionConflict(gameID, *expected, actual)
}

// checkTransition returns runtime.ErrNotFound or a *runtime.ConflictError unless the record is
// as the input expects.
func checkTransition(in ports.UpdateStatusInput, current *layout.Record) error {
	switch {
	case current == nil:
		return runtime.ErrNotFound
	case current.Status != in.ExpectedFrom:
		return &runtime.ConflictError{
			GameID: in.GameID, Precondition: runtime.PreconditionStatus, Expected: string(in.ExpectedFrom), Actual: string(current.Status),
			Current: current.Clone(), Revision: current.ModRevision,
		}
	case in.ExpectedContainerID != "" && current.CurrentContainerID != in.ExpectedContainerID:
		return &runtime.ConflictError{
			GameID: in.GameID, Precondition: runtime.PreconditionContainerID, Expected: in.ExpectedContainerID, Actual: current.CurrentContainerID,
			Current: current.Clone(), Revision: current.ModRevision,
		}
	default:
		return nil
	}
}

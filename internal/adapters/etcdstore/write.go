package etcdstore

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Upsert implements ports.RuntimeRecordStore.
func (s *Store) Upsert(ctx context.Context, record runtime.RuntimeRecord) error {
	_, err := s.Put(ctx, ports.PutInput{Record: record})
	return err
}

// Put implements ports.RuntimeWriter. It compares and swaps like every write:
// a blind put that was sent twice could undo somebody else's.
func (s *Store) Put(ctx context.Context, input ports.PutInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	record := input.Record.InUTC()
	return s.write(ctx, change{
		gameID: record.GameID,
		verb:   layout.WriteUpsert,
		to:     record.Status,
		at:     record.LastOpAt,
		origin: input.Origin,
		fence:  input.Fence,
		expect: func(cur *layout.Record) error { return expectRevision(record.GameID, input.IfRevision, cur) },
		apply:  func(runtime.RuntimeRecord) (runtime.RuntimeRecord, error) { return record, nil },
	})
}

// UpdateStatus implements ports.RuntimeRecordStore.
func (s *Store) UpdateStatus(ctx context.Context, input ports.UpdateStatusInput) error {
	_, err := s.Transition(ctx, ports.TransitionInput{UpdateStatusInput: input})
	return err
}

// Transition implements ports.RuntimeWriter.
func (s *Store) Transition(ctx context.Context, input ports.TransitionInput) (runtime.VersionedRecord, error) {
	if err := input.Validate(); err != nil {
		return runtime.VersionedRecord{}, err
	}
	return s.write(ctx, change{
		gameID: input.GameID,
		verb:   layout.WriteTransition,
		to:     input.To,
		at:     input.Now.UTC(),
		origin: input.Origin,
		fence:  input.Fence,
		expect: func(cur *layout.Record) error { return expectTransition(input.UpdateStatusInput, cur) },
		apply: func(rec runtime.RuntimeRecord) (runtime.RuntimeRecord, error) {
			return rec.Apply(input.To, input.Now)
		},
	})
}

// change is one write of one game. Its functions are pure: they run again for
// every record that a lost race brings.
type change struct {
	gameID string
	verb   layout.WriteKind
	to     runtime.Status
	at     time.Time
	origin ports.Origin
	fence  *node.Fence
	// expect returns nil when the caller's expectations hold for the record;
	// nil stands for no record.
	expect func(*layout.Record) error
	// apply makes the new record from the present one, zero where there is none.
	apply func(runtime.RuntimeRecord) (runtime.RuntimeRecord, error)
}

// write carries a change out: it reads the record, and swaps it for the changed
// one as long as the change's expectations hold.
func (s *Store) write(ctx context.Context, c change) (runtime.VersionedRecord, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return runtime.VersionedRecord{}, err
	}
	defer done()
	ctx, cancel := s.etcd.WithOperationTimeout(ctx)
	defer cancel()

	result, err := s.swap(ctx, c)
	if err != nil {
		return runtime.VersionedRecord{}, fmt.Errorf("%s game %q: %w", c.verb, c.gameID, err)
	}
	return result, nil
}

func (s *Store) swap(ctx context.Context, c change) (runtime.VersionedRecord, error) {
	base, cached := s.peek(c)
	if cached && c.expect(base.record) != nil {
		cached = false // what may be stale refuses nobody
	}
	if !cached {
		var err error
		if base, err = s.basis(ctx, c); err != nil {
			return runtime.VersionedRecord{}, err
		}
	}
	if c.origin.OperationID == "" {
		c.origin.OperationID = newOperationID()
	}
	for {
		if base.hasRun(c.origin.OperationID) {
			return repeat(base)
		}
		if err := c.expect(base.record); err != nil {
			return runtime.VersionedRecord{}, s.unlessFenced(ctx, c.fence, err)
		}
		w, err := s.prepare(c, base)
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		out, err := s.commit(ctx, w)
		if err != nil {
			return runtime.VersionedRecord{}, err
		}
		if out.written != nil {
			return *out.written, nil
		}
		s.learn(out.lost.record)
		// Another writer was faster. Whether that matters is for the change's
		// expectations to say, of a record that etcd has just shown to be there.
		base = out.lost
	}
}

// peek returns what the cache has for a change to be computed from, if it has
// anything. The change's own transaction proves that it still stands. Who brought
// an operation id may have written before, and the cache cannot tell.
func (s *Store) peek(c change) (view, bool) {
	if s.feed == nil || c.origin.OperationID != "" {
		return view{}, false
	}
	rec := s.feed.cache.peek(c.gameID)
	if rec == nil {
		return view{}, false
	}
	return view{at: rec.ModRevision, record: rec}, true
}

// learn lets the cache know of a record that etcd has shown to stand.
func (s *Store) learn(rec *layout.Record) {
	if s.feed != nil && rec != nil {
		s.feed.cache.ahead.learn(*rec)
	}
}

// basis reads what a change is computed from. The ledger is needed where the
// caller brought an operation id, to see whether it has been carried out before,
// and where the record is absent, to go on numbering.
func (s *Store) basis(ctx context.Context, c change) (view, error) {
	switch {
	case c.origin.OperationID != "":
		return s.look(ctx, c.gameID)
	case c.verb == layout.WriteUpsert:
		return s.lookWhereAbsent(ctx, c.gameID)
	default:
		return s.lookAtRecord(ctx, c.gameID)
	}
}

// hasRun reports whether an earlier write had this operation id, as far as
// record and ledger tell.
func (v view) hasRun(id string) bool {
	_, found := v.operation(id)
	return found || v.record != nil && v.record.LastWrite.OperationID == id
}

// operation finds what an earlier write with this id left in the ledger.
func (v view) operation(id string) (runtime.LedgerEntry, bool) {
	i := slices.IndexFunc(v.ledger, func(e runtime.LedgerEntry) bool { return e.OperationID == id })
	if i < 0 {
		return runtime.LedgerEntry{}, false
	}
	return v.ledger[i], true
}

// repeat answers a change whose operation id has been carried out before.
func repeat(now view) (runtime.VersionedRecord, error) {
	if now.record == nil {
		return runtime.VersionedRecord{}, runtime.ErrNotFound
	}
	return now.record.Versioned(), nil
}

// unlessFenced gives back why a change cannot be made, or runtime.ErrFenced where
// its fence does not hold: whoever has lost the lead is told that before all else.
func (s *Store) unlessFenced(ctx context.Context, fence *node.Fence, why error) error {
	if fence == nil {
		return why
	}
	resp, err := s.etcd.Get(ctx, fence.Key, clientv3.WithKeysOnly())
	if err != nil {
		return err
	}
	return cmp.Or(checkFence(fence, resp.Kvs), why)
}

// checkFence returns nil when the leader's key, as etcd holds it, is the fence's.
func checkFence(fence *node.Fence, leader []*mvccpb.KeyValue) error {
	if len(leader) > 0 && leader[0].GetCreateRevision() == fence.CreateRevision {
		return nil
	}
	return fmt.Errorf("%w: %s is not held since revision %d", runtime.ErrFenced, fence.Key, fence.CreateRevision)
}

func newOperationID() string { return "op_" + uuid.Must(uuid.NewV7()).String() }

func expectRevision(gameID string, want *int64, cur *layout.Record) error {
	conflict := &runtime.ConflictError{GameID: gameID, Precondition: runtime.PreconditionRevision}
	if cur != nil {
		conflict.Current, conflict.Revision = cur.Clone(), cur.ModRevision
	}
	if want == nil || *want == conflict.Revision {
		return nil
	}
	conflict.Expected = strconv.FormatInt(*want, 10)
	conflict.Actual = strconv.FormatInt(conflict.Revision, 10)
	return conflict
}

func expectTransition(in ports.UpdateStatusInput, cur *layout.Record) error {
	if cur == nil {
		return runtime.ErrNotFound
	}
	conflict := &runtime.ConflictError{GameID: in.GameID, Current: cur.Clone(), Revision: cur.ModRevision}
	switch {
	case cur.Status != in.ExpectedFrom:
		conflict.Precondition = runtime.PreconditionStatus
		conflict.Expected, conflict.Actual = string(in.ExpectedFrom), string(cur.Status)
	case in.ExpectedContainerID != "" && cur.CurrentContainerID != in.ExpectedContainerID:
		conflict.Precondition = runtime.PreconditionContainerID
		conflict.Expected, conflict.Actual = in.ExpectedContainerID, cur.CurrentContainerID
	default:
		return nil
	}
	return conflict
}

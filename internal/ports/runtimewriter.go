package ports

import (
	"context"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeWriter changes records as RuntimeRecordStore does, with the same
// promises and errors, for callers that want to say who acts and why, to
// expect a revision, to be fenced, or to read what came of it.
//
// With a Fence that does not hold, nothing is written and the error errors.Is
// runtime.ErrFenced, whatever else would have been in the way.
type RuntimeWriter interface {
	// Put is Upsert with an expectation. It returns the record as it now stands
	// and the revision of this write.
	//
	// With IfRevision, a record last changed at another revision is a
	// *runtime.ConflictError on runtime.ExpectRevision.
	Put(ctx context.Context, input PutInput) (VersionedRecord, error)

	// Transition is UpdateStatus. It returns the record as it now stands and
	// the revision of this write.
	Transition(ctx context.Context, input TransitionInput) (VersionedRecord, error)
}

// VersionedRecord is a record with the revision at which it was last changed.
type VersionedRecord struct {
	Record   runtime.RuntimeRecord
	Revision int64
}

// Origin says where a write comes from; it goes into the ledger. The zero
// Origin is fine.
type Origin struct {
	// OperationID makes a write repeatable: a second write of the same game with
	// the same id, while the first is still among its recent ledger entries,
	// changes nothing and returns what the first one left if that still stands,
	// or what stands now, runtime.ErrNotFound for nothing. Empty means that the store makes a fresh one. At most
	// 128 bytes of printable text.
	OperationID string
	// Actor is who asked, Reason why: at most 256 and 1024 bytes of UTF-8.
	Actor  string
	Reason string
}

// PutInput asks for one record to be inserted or overwritten.
type PutInput struct {
	Record runtime.RuntimeRecord
	// IfRevision, when not nil, is the revision at which the present record must
	// have been last changed; 0 means that there must be none.
	IfRevision *int64
	Origin     Origin
	Fence      *Fence
}

// TransitionInput asks for one transition, with what UpdateStatusInput has no
// room for.
type TransitionInput struct {
	UpdateStatusInput
	Origin Origin
	Fence  *Fence
}

// Fence is a proof of leadership that the store checks inside the write's own
// transaction: the key exists and was created at this revision. A leader that
// was replaced cannot write any more, whatever it believes.
type Fence struct {
	Key            string
	CreateRevision int64
}

// Validate returns nil for a fence that could hold, and otherwise a
// *runtime.InvalidError on "fence": without a key, or with a create revision that
// no key can have. Zero must not pass: to etcd it means that there is no key.
func (f Fence) Validate() error {
	switch {
	case f.Key == "":
		return &runtime.InvalidError{Field: "fence", Reason: "names no key"}
	case f.CreateRevision < 1:
		return &runtime.InvalidError{Field: "fence", Reason: fmt.Sprintf("has create revision %d; keys are created at 1 and above", f.CreateRevision)}
	}
	return nil
}

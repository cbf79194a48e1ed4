package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
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
	Put(ctx context.Context, input PutInput) (runtime.VersionedRecord, error)

	// Transition is UpdateStatus. It returns the record as it now stands and
	// the revision of this write.
	Transition(ctx context.Context, input TransitionInput) (runtime.VersionedRecord, error)
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
	Fence      *node.Fence
}

// TransitionInput asks for one transition, with what UpdateStatusInput has no
// room for.
type TransitionInput struct {
	UpdateStatusInput
	Origin Origin
	Fence  *node.Fence
}

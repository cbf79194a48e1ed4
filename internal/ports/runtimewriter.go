package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeWriter writes records as RuntimeRecordStore does, with the same guarantees and
// errors. It is for callers that pass an origin, a revision as precondition or a fence,
// or that need the written record.
//
// If the Fence is not valid, nothing is written and the error errors.Is
// runtime.ErrFenced. It takes precedence over a failed precondition and a missing
// record.
type RuntimeWriter interface {
	// Put is Upsert with an optional precondition. It returns the written record and the
	// revision of this write.
	//
	// With IfRevision, a record whose last change has another revision is a
	// *runtime.ConflictError on runtime.PreconditionRevision.
	Put(ctx context.Context, input PutInput) (runtime.VersionedRecord, error)

	// Transition is UpdateStatus. It returns the written record and the revision of this
	// write.
	Transition(ctx context.Context, input TransitionInput) (runtime.VersionedRecord, error)
}

// PutInput is the input of RuntimeWriter.Put.
type PutInput struct {
	Record runtime.RuntimeRecord
	// IfRevision, if not nil, is the expected revision of the current record's last
	// change; 0 means that there must be no record.
	IfRevision *int64
	Origin     Origin
	// Fence, if not nil, must be valid in the write's transaction.
	Fence *node.Fence
}

// TransitionInput is the input of RuntimeWriter.Transition.
type TransitionInput struct {
	UpdateStatusInput
	Origin Origin
	// Fence, if not nil, must be valid in the write's transaction.
	Fence *node.Fence
}

package ports

import (
	"context"
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeWriter writes records as RuntimeRecordStore does, with the same guarantees and
// errors. It is for callers that pass an origin, a revision as precondition or a fence,
// or that need the written record.
//
// If the Guard does not hold, nothing is written. A failed precondition and a missing
// record take precedence over the guard.
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
	// write. With Endpoint, the same write replaces the record's EngineEndpoint. Only a
	// running game has Ports: the same write replaces them, or clears them.
	// With Condition, it replaces the condition.
	Transition(ctx context.Context, input TransitionInput) (runtime.VersionedRecord, error)
}

// PutInput is the input of RuntimeWriter.Put.
type PutInput struct {
	Record runtime.RuntimeRecord
	// IfRevision, if not nil, is the expected revision of the current record's last
	// change; 0 means that there must be no record.
	IfRevision *int64
	Origin     Origin
	// At is the time of the entry of the ledger; zero means LastOpAt of the record. A change of labels or metadata
	// is no operation, so it has a time of its own.
	At time.Time
	// Fence, if not nil, must be valid in the write's transaction.
	Fence *node.Fence
	Guard OperationGuard
}

// EntryTime returns the time of the entry of the ledger, in UTC.
func (in PutInput) EntryTime() time.Time {
	if in.At.IsZero() {
		return in.Record.LastOpAt.UTC()
	}
	return in.At.UTC()
}

// OperationGuard is what a write by hand requires of the game's intent. It is compared
// inside the write's transaction.
type OperationGuard int

// The guards.
const (
	// GuardNone requires nothing.
	GuardNone OperationGuard = iota
	// GuardNoOperation requires that the node of the current record has no operation on
	// the game in progress. Otherwise the error is an *operation.BusyError.
	GuardNoOperation
	// GuardNoIntent requires that no operation ever ran on the game. Otherwise the error is
	// an *operation.BusyError while an operation is in progress, and else an
	// *operation.ManagedError.
	GuardNoIntent
	// GuardManagedRecord is GuardNoIntent for a write over a record, and GuardNoOperation for
	// a write without a current record.
	GuardManagedRecord
)

// Resolve returns the guard for a write over before, nil for no record. It replaces
// GuardManagedRecord, which depends on the write.
func (g OperationGuard) Resolve(before *runtime.RuntimeRecord) OperationGuard {
	switch {
	case g != GuardManagedRecord:
		return g
	case before != nil:
		return GuardNoIntent
	default:
		return GuardNoOperation
	}
}

// TransitionInput is the input of RuntimeWriter.Transition.
type TransitionInput struct {
	UpdateStatusInput
	// Endpoint, if not nil, replaces the record's EngineEndpoint in the same write.
	Endpoint *string
	// Ports replaces the record's Ports in the same write if To is runtime.StatusRunning. A
	// transition to another status clears them.
	Ports []runtime.Port
	// Condition, if not nil, replaces the record's condition in the same write.
	Condition *runtime.Condition
	Origin    Origin
	// Fence, if not nil, must be valid in the write's transaction.
	Fence *node.Fence
	Guard OperationGuard
}

// Apply returns the record after the transition. It checks the pair of statuses only.
func (in TransitionInput) Apply(record runtime.RuntimeRecord) (runtime.RuntimeRecord, error) {
	after, err := record.Apply(in.To, in.Now)
	if err == nil && in.Endpoint != nil {
		after.EngineEndpoint = *in.Endpoint
	}
	if err == nil && in.To == runtime.StatusRunning {
		after.Ports = slices.Clone(in.Ports)
	}
	if err == nil && in.Condition != nil {
		after = after.WithCondition(*in.Condition)
	}
	return after, err
}

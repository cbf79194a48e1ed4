package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// ConditionWriter writes the conditions of records. It is safe for concurrent use.
type ConditionWriter interface {
	// SetCondition replaces the condition of the game's record, and leaves every other field
	// as it is. It returns the written record and the revision of this write. Watches deliver
	// an upserted event. The write has no ledger entry, because it is no operation: History
	// and the operation ids that the ledger keeps stay as they are.
	//
	// A record whose last change has another revision than IfRevision is a
	// *runtime.ConflictError on runtime.PreconditionRevision, and a missing record is
	// runtime.ErrNotFound. An intent of another revision than IfIntentRevision is a conflict as
	// well, unless that is 0. If the Fence is not valid, the error errors.Is runtime.ErrFenced;
	// it takes precedence over all of them. If the record has the condition already, nothing is
	// written, and the intent is not compared.
	//
	// A caller computes the condition from its current observation and retries with a later
	// observation. So a write that was applied and then replaced by another one may be a
	// conflict.
	SetCondition(ctx context.Context, input ConditionInput) (runtime.VersionedRecord, error)
}

// ConditionInput is the input of ConditionWriter.SetCondition.
type ConditionInput struct {
	GameID string
	// IfRevision is the revision of the record that Condition was computed for, 1 or more.
	// It also guards the container that the condition describes.
	IfRevision int64
	Condition  runtime.Condition
	// IfIntentRevision, if not 0, is the revision of the intent that Condition was computed by.
	IfIntentRevision int64
	// Fence, if not nil, must be valid in the write's transaction.
	Fence *node.Fence
}

// Validate returns nil for an input that a store accepts. Otherwise it returns a
// *runtime.InvalidError for an invalid game id, a revision below 1 or a condition that cannot
// be stored, or a fault of Fence.Validate.
func (in ConditionInput) Validate() error {
	if err := runtime.ValidateGameID(in.GameID); err != nil {
		return err
	}
	if in.IfRevision < 1 {
		return &runtime.InvalidError{Field: "if_revision", Reason: "must be 1 or more: a condition belongs to a record"}
	}
	if err := validateCondition(in.Condition); err != nil {
		return err
	}
	return validateOriginAndFence(Origin{}, in.Fence)
}

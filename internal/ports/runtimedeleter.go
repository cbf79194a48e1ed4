package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeDeleter deletes games. It is safe for concurrent use; concurrent calls may share
// one transaction of the store.
type RuntimeDeleter interface {
	// Delete deletes a removed game in one transaction: its record, index key, ledger and
	// intent. Watches deliver a deleted event. A game of the same id that is started
	// later is a new game without history.
	//
	// A game without a record has an intent if its first start has failed: Delete deletes the
	// intent then, without an event.
	//
	// A store whose quota is exhausted accepts a deletion.
	//
	// Errors, the first that applies:
	//
	//   - runtime.ErrInvalid for input that DeleteInput.Validate rejects,
	//   - runtime.ErrFenced for an invalid Fence,
	//   - runtime.ErrNotFound if the call finds neither a record nor an intent, or no record
	//     and IfRevision is set,
	//   - a *runtime.ConflictError on runtime.PreconditionRevision if the record's last
	//     change has another revision than IfRevision,
	//   - an *operation.RejectedError with the status if the record is not removed,
	//   - an *operation.BusyError if an operation on the game is in progress,
	//   - runtime.ErrCorrupt if record or intent cannot be read.
	//
	// Record and intent are compared in the transaction: a concurrent write of either
	// precedes the deletion and is found by it, or follows it and finds no game.
	//
	// A call that has found the removed record returns nil once that record is deleted,
	// even if a concurrent call deleted it: of concurrent calls several may return nil. A
	// repeated call with the operation id of a successful one returns nil and deletes
	// nothing, as long as the store keeps that id. The store keeps those of its latest
	// deletions until it is closed.
	//
	// A write that inserts a game is applied at most once, even if its response is lost and
	// the game is deleted before the store repeats it. The write returns
	// runtime.ErrOutcomeUnknown then, unless the store can prove its outcome.
	Delete(ctx context.Context, input DeleteInput) error
}

// DeleteInput is the input of RuntimeDeleter.Delete.
type DeleteInput struct {
	GameID string
	// IfRevision, if not nil, is the expected revision of the record's last change.
	IfRevision *int64
	// Origin is not stored, because nothing of the game remains. Its OperationID
	// identifies a repeated call.
	Origin Origin
	// Fence, if not nil, must be valid in the transaction.
	Fence *node.Fence
}

// Validate returns nil for an input that a store accepts. Otherwise it returns a
// *runtime.InvalidError for an invalid game id, a revision below 1, or a fault of
// Origin.Validate or Fence.Validate.
func (in DeleteInput) Validate() error {
	if err := runtime.ValidateGameID(in.GameID); err != nil {
		return err
	}
	if in.IfRevision != nil && *in.IfRevision < 1 {
		return &runtime.InvalidError{Field: "if_revision", Reason: "must be 1 or more: a game without a record cannot be deleted"}
	}
	return validateOriginAndFence(in.Origin, in.Fence)
}

// CheckGame returns nil if the game may be deleted. Otherwise it returns the error that
// Delete documents for the game's record and operation in progress; nil means none.
func (in DeleteInput) CheckGame(record *runtime.VersionedRecord, hasIntent bool, current *operation.Operation) error {
	switch {
	case record == nil && (!hasIntent || in.IfRevision != nil):
		return runtime.ErrNotFound
	case record == nil && current != nil:
		return operation.NewBusyError(in.GameID, *current)
	case record == nil:
		return nil
	case in.IfRevision != nil && *in.IfRevision != record.Revision:
		return runtime.NewRevisionConflict(in.GameID, *in.IfRevision, *record)
	case record.Record.Status != runtime.StatusRemoved:
		return rejectDeletion(in.GameID, record.Record.Status)
	case current != nil:
		return operation.NewBusyError(in.GameID, *current)
	default:
		return nil
	}
}

// rejectDeletion returns the error for a game that has a container.
func rejectDeletion(gameID string, status runtime.Status) error {
	reason := "the game is stopped and has a container; clean it up first"
	if status == runtime.StatusRunning {
		reason = "the game is running; stop it and clean it up first"
	}
	return &operation.RejectedError{GameID: gameID, Operation: "delete", Status: status, Reason: reason}
}

package ports

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeRecordStore keeps one record per game. It changes the status of a record only by
// compare-and-swap.
//
// All methods are linearizable: a call by any client returns the effects of every write
// that was acknowledged before the call. A write is applied exactly once, together with
// its index key and its ledger entry, or not at all. All methods are safe for concurrent
// use and end when ctx ends. Returned records share no memory with the store, and their
// times are in UTC.
//
// In addition to the errors named below, every method may return an error that errors.Is
//
//   - runtime.ErrUnavailable if the store does not respond in time,
//   - runtime.ErrCorrupt (a *runtime.CorruptError with the key) for a stored value that
//     cannot be read; the store never overwrites such a value,
//   - runtime.ErrOutcomeUnknown for a write if the store could not determine whether it
//     was applied, mostly because ctx ended first,
//   - runtime.ErrReadOnly for a write while the store's space quota is exhausted,
//   - runtime.ErrIncompatible if the store that was opened has been replaced by another.
type RuntimeRecordStore interface {
	// Get returns the game's record. It returns runtime.ErrNotFound if there is none, and
	// runtime.ErrInvalid for an invalid game id.
	Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error)

	// Upsert inserts the record, or overwrites every field of the current one, verbatim.
	// It has no precondition and so never conflicts. A second identical call is another
	// write.
	//
	// The caller has validated the record. The store itself rejects, with
	// runtime.ErrInvalid, only a record that it could not return unchanged: an invalid
	// game id, an unknown status, text that is not UTF-8, a time outside the years 0 to
	// 9999, and a record above the store's size limit.
	Upsert(ctx context.Context, record runtime.RuntimeRecord) error

	// UpdateStatus changes the status of the game if the record has the expected status,
	// and the expected container id if the input has one. Other fields change as
	// runtime.RuntimeRecord.Apply documents.
	//
	// An input that fails Validate is rejected before the store is accessed. A failed
	// precondition is a *runtime.ConflictError (errors.Is runtime.ErrConflict) with the
	// current record and its revision. A missing record is runtime.ErrNotFound.
	UpdateStatus(ctx context.Context, input UpdateStatusInput) error

	// List returns every record, of any status, as of one revision. The order depends on
	// the store. Without records it returns an empty slice. A corrupt value does not
	// hide the others: List then returns every readable record together with the
	// *runtime.CorruptError of each corrupt value, joined.
	List(ctx context.Context) ([]runtime.RuntimeRecord, error)

	// ListByStatus returns every record that is indexed under the status, as List does.
	// It returns runtime.ErrInvalid for an unknown status.
	ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error)
}

// UpdateStatusInput is one transition of one game.
type UpdateStatusInput struct {
	GameID       string
	ExpectedFrom runtime.Status
	// ExpectedContainerID is the expected current container, so that the caller does not
	// act on another one. Empty means any.
	ExpectedContainerID string
	To                  runtime.Status
	// Now is the time of the transition. It becomes the record's last_op_at.
	Now time.Time
}

// Validate returns nil for an input that a store accepts. Otherwise it returns a
// *runtime.InvalidError for an invalid game id, an unknown status or a zero Now, and a
// *runtime.TransitionError for a pair of statuses that is not allowed.
func (in UpdateStatusInput) Validate() error {
	if err := runtime.ValidateGameID(in.GameID); err != nil {
		return err
	}
	if _, err := runtime.ParseStatus("expected_from", string(in.ExpectedFrom)); err != nil {
		return err
	}
	if _, err := runtime.ParseStatus("to", string(in.To)); err != nil {
		return err
	}
	if err := runtime.Transition(in.ExpectedFrom, in.To); err != nil {
		return err
	}
	if in.Now.IsZero() {
		return &runtime.InvalidError{Field: "now", Reason: "is the zero time; set it to the time of the transition"}
	}
	return nil
}

package ports

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeRecordStore keeps one record per game and changes its status only by
// compare-and-swap.
//
// Everything is linearizable: what one caller was told is done, every later
// call of any caller anywhere sees. A write is applied exactly once, together
// with its index and its ledger entry, or not at all. All methods are safe for
// concurrent use, end when ctx ends, and return records that share no memory
// with the store. Instants come back in UTC.
//
// Besides the errors named below, every method may return an error that
// errors.Is runtime.ErrUnavailable when the store does not answer in time, and
// runtime.ErrCorrupt (a *runtime.CorruptError naming the key) for a stored
// value that it cannot read; such a value is never overwritten. A write whose
// fate the store could not learn, mostly because its caller stopped waiting,
// returns an error that errors.Is runtime.ErrOutcomeUnknown; at the store's space
// quota it returns runtime.ErrReadOnly. Where another store has taken the place of the one
// that was opened, every method returns runtime.ErrIncompatible.
type RuntimeRecordStore interface {
	// Get returns the game's record. It returns runtime.ErrNotFound when there
	// is none and runtime.ErrInvalid for an id that no game can have.
	Get(ctx context.Context, gameID string) (runtime.RuntimeRecord, error)

	// Upsert inserts the record, or overwrites every field of the one that is
	// there, verbatim. It expects nothing of the present record and so never
	// conflicts; a second identical call is another write. The caller has
	// validated the record: the store itself refuses, with runtime.ErrInvalid,
	// only what it could not give back unchanged: a bad game id, an unknown
	// status, text that is not UTF-8, an instant outside years 0 to 9999, and a
	// record larger than the store's limit.
	Upsert(ctx context.Context, record runtime.RuntimeRecord) error

	// UpdateStatus moves the game from one status to another if the record has
	// the expected status, and the expected container id where one is given.
	// The fields change as runtime.RuntimeRecord.Apply says.
	//
	// The input's Validate fails before the store is touched. A failed
	// expectation is a *runtime.ConflictError (errors.Is runtime.ErrConflict)
	// with the record and the revision that won; no record is
	// runtime.ErrNotFound.
	UpdateStatus(ctx context.Context, input UpdateStatusInput) error

	// List returns every record, of any status, as of one revision, in an order
	// of the store's choosing. Without records it returns an empty slice. A
	// damaged value does not hide the others: List then returns every record it
	// could read together with the *runtime.CorruptError of each, joined.
	List(ctx context.Context) ([]runtime.RuntimeRecord, error)

	// ListByStatus returns every record indexed under the status, as List does.
	// It returns runtime.ErrInvalid for an unknown status.
	ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error)
}

// UpdateStatusInput asks for one transition of one game.
type UpdateStatusInput struct {
	GameID       string
	ExpectedFrom runtime.Status
	// ExpectedContainerID guards against acting on another container than the
	// one the caller saw. Empty means no guard.
	ExpectedContainerID string
	To                  runtime.Status
	// Now becomes the record's last_op_at and the instant of the transition.
	Now time.Time
}

// Validate returns nil for an input that a store can act on. Otherwise it
// returns a *runtime.InvalidError for a bad game id, an unknown status or a
// zero Now, and a *runtime.TransitionError for a pair that is not allowed.
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
		return &runtime.InvalidError{Field: "now", Reason: "is the zero time; give the instant of the transition"}
	}
	return nil
}

package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
)

// IntentStore keeps one operation.Intent per game. It is linearizable, and each
// write is applied exactly once or not at all. Methods are safe for concurrent use, end when
// ctx ends, and return intents that share no memory with the store. Errors are
// those of RuntimeRecordStore: runtime.ErrInvalid for a game id that cannot be,
// runtime.ErrUnavailable, runtime.ErrOutcomeUnknown, runtime.ErrReadOnly, runtime.ErrCorrupt.
type IntentStore interface {
	// GetIntent returns the game's intent, and the revision at which it was last
	// written. A game without one has the zero Intent but for GameID, at revision 0.
	GetIntent(ctx context.Context, gameID string) (VersionedIntent, error)

	// PutIntent writes the intent if the present one was last written at
	// ifRevision, 0 meaning that there is none, and every fence holds. It returns the revision
	// of this write. Another revision is a *runtime.ConflictError on
	// runtime.ExpectRevision; a fence that does not hold is runtime.ErrFenced, whatever else is in
	// the way.
	PutIntent(ctx context.Context, intent operation.Intent, ifRevision int64, fences ...Fence) (int64, error)

	// ListIntents returns every intent, as of one revision, ordered by key. Damaged
	// ones do not hide the others: they are reported as List reports damaged records.
	ListIntents(ctx context.Context) ([]VersionedIntent, error)
}

// VersionedIntent is an intent with the revision at which it was last written.
type VersionedIntent struct {
	Intent   operation.Intent
	Revision int64
}

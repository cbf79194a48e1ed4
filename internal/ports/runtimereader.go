package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeReader reads records with their revisions, and lists in pages that
// all stand at one revision. Its promises are RuntimeRecordStore's.
type RuntimeReader interface {
	// GetVersioned is Get with the revision at which the record was last changed.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)

	// GetLocal is GetVersioned without the promise of freshness: where the store
	// keeps a copy of the records it answers from that, without asking anybody. It
	// also returns the revision that the answer is as of, with runtime.ErrNotFound
	// too. What one store answers never goes back, unless the store was put back to an earlier state.
	GetLocal(ctx context.Context, gameID string) (found runtime.VersionedRecord, asOf int64, err error)

	// ListPage returns one page of the records that match the query, ordered by
	// key. A query with Revision 0 starts a list as of now; to continue, repeat
	// the query with the page's Revision, and its Next as After. An empty Next
	// means that the list is complete.
	//
	// A revision that has been compacted is runtime.ErrCompacted and one that
	// the store has not reached runtime.ErrForeignRevision. An unknown status, a
	// negative revision or a limit outside 1 to MaxPageLimit is
	// runtime.ErrInvalid. Damaged values do not fail the page: they come in
	// Corrupt and never count against the limit.
	ListPage(ctx context.Context, query PageQuery) (Page, error)
}

// MaxPageLimit is the largest page that ListPage serves.
const MaxPageLimit = 10_000

// PageQuery selects records; empty filters select all.
type PageQuery struct {
	Status runtime.Status
	Region string
	Node   string
	// Limit is how many records the page holds at most, 1 to MaxPageLimit.
	Limit int
	// Revision is the revision that the list stands at; 0 is now.
	Revision int64
	// Local lets a list of Revision 0 stand where the store's own copy of the
	// records stands, as GetLocal does.
	Local bool
	// After is the Next of the page before; empty starts at the beginning.
	After string
}

// Page is one page of a list.
type Page struct {
	// Revision is the revision at which the whole list stands.
	Revision int64
	Records  []runtime.VersionedRecord
	// Next continues the list; it is opaque. Empty means that this page is the last.
	Next string
	// Corrupt names the values met on the way that could not be read.
	Corrupt []*runtime.CorruptError
}

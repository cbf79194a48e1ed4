package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// RuntimeReader reads records with their revisions, and lists them in pages that all
// have one revision. Consistency, concurrency, memory sharing and errors are those of
// RuntimeRecordStore.
type RuntimeReader interface {
	// GetVersioned is Get with the revision of the record's last change.
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)

	// GetLocal is GetVersioned without the guarantee of linearizability: a store with a
	// cache returns the cached record without a request. It also returns the revision of
	// the cache, even with runtime.ErrNotFound. The revisions that one store returns never
	// decrease, unless the store was restored to an earlier state.
	GetLocal(ctx context.Context, gameID string) (found runtime.VersionedRecord, asOf int64, err error)

	// ListPage returns one page of the records that match the query, in the order of the query,
	// which is by key unless it names a field. A
	// query with Revision 0 starts a list at the current revision. To continue, repeat
	// the query with the page's Revision, and with its Next as After. The list is
	// complete if Next is empty.
	//
	// A compacted revision is runtime.ErrCompacted, unless the store has the records of
	// that revision in memory, as it usually has for the next page of a list. A revision
	// that the store has not reached is runtime.ErrForeignRevision. An invalid filter, a negative
	// revision or a limit outside 1 to MaxPageLimit is runtime.ErrInvalid. Corrupt values do not fail
	// the page: it returns them in Corrupt, and they do not count against the limit. The first page
	// of a sorted list names all of them. An unknown field to sort by is runtime.ErrInvalid, and so is
	// an After that no page with the same order has returned.
	ListPage(ctx context.Context, query PageQuery) (Page, error)
}

// MaxPageLimit is the largest number of records that ListPage returns.
const MaxPageLimit = 10_000

// PageQuery selects records. An empty filter matches every record.
type PageQuery struct {
	RecordFilter
	// Order is the order of the list. All pages of a list have the same one.
	Order RecordOrder

	// Limit is the largest number of records of the page, 1 to MaxPageLimit.
	Limit int
	// Revision is the revision of the list; 0 is the current one.
	Revision int64
	// Local allows a list of Revision 0 at the revision of the store's cache, as
	// GetLocal does.
	Local bool
	// MinRevision, if not 0, allows a list of Revision 0 at any revision from this one on. The
	// caller has just read something else at it, so the store need not request the current one.
	MinRevision int64
	// After is the Next of the previous page. An empty one starts the list.
	After string
}

// Page is one page of a list.
type Page struct {
	// Revision is the revision of the whole list.
	Revision int64
	Records  []runtime.VersionedRecord
	// Next is the opaque position of the next page. It is empty on the last page.
	Next string
	// Corrupt names the values in the range of this page that could not be read.
	Corrupt []*runtime.CorruptError
	// Regions are the states of the regions, from a daemon that is part of a cluster. A store
	// itself returns none.
	Regions []node.RegionState
}

package ports

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/runtime"
)

// SnapshotReader reads records that the store keeps in memory and shares with its callers, so that
// a list copies nothing. A store implements it in addition to RuntimeReader. It is safe for
// concurrent use.
type SnapshotReader interface {
	// ReadSnapshot returns the records at the revision that ListPage reads the query at, with the
	// same consistency, and nil if the store does not have them in memory: ListPage reads the
	// query then. Its errors are those of ListPage. Limit, Order and After do not matter to it.
	ReadSnapshot(ctx context.Context, query PageQuery) (RecordSnapshot, error)
}

// RecordSnapshot is the records of a store at one revision. It never changes, and needs no request
// to the store. It keeps its records in memory as long as it is referenced. It is safe for
// concurrent use.
type RecordSnapshot interface {
	// Revision returns the revision of the records.
	Revision() int64
	// Contents returns a comparable value. It is equal only for snapshots with the same
	// records, which may be of different revisions.
	Contents() any
	// Page returns the page that ListPage returns for the query at the revision of the snapshot,
	// without a copy of its records. The caller validates the query.
	Page(query PageQuery) (SharedPage, error)
	// Records iterates over the records that match the filter, in the order of their keys.
	Records(filter *RecordFilter) iter.Seq[SharedRecord]
	// Corrupt returns the values that could not be read and whose games may match the filter.
	Corrupt(filter *RecordFilter) []*runtime.CorruptError
	// Retain keeps the snapshot for the next pages of a list, for about a minute, as a page with
	// a Next that ListPage returns does.
	Retain()
}

// SharedRecord is a record that is shared with the store and with other callers. A caller must not
// change the record, or what its fields refer to. It never changes: a write to the game makes another record,
// so that a pointer identifies one version of it.
type SharedRecord struct {
	Record *runtime.RuntimeRecord
	// Revision is the revision of the record's last change.
	Revision int64
}

// Clone returns a copy that shares no memory with the store.
func (r SharedRecord) Clone() runtime.VersionedRecord {
	return runtime.VersionedRecord{Record: r.Record.Clone(), Revision: r.Revision}
}

// SharedPage is Page with shared records.
type SharedPage struct {
	Records []SharedRecord
	// Next is the opaque position of the next page. It is empty on the last page.
	Next string
	// Corrupt names the values in the range of this page that could not be read.
	Corrupt []*runtime.CorruptError
}

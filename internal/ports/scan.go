package ports

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/domain/runtime"
)

// ScanQuery selects the records of a scan.
type ScanQuery struct {
	RecordFilter
	// Local allows a scan at the revision of the store's cache, as GetLocal does.
	Local bool
	// MinRevision, if not 0, allows a scan at any revision from this one on, as PageQuery.MinRevision
	// does.
	MinRevision int64
	// OnCorrupt is called for each value that could not be read and that may match, before the
	// scan ends. nil ignores them.
	OnCorrupt func(*runtime.CorruptError)
}

// ScanRecords iterates over the records that match the query, all at one revision, in the order of
// their keys. It is for a caller that looks at many records and keeps few of them: a store that
// implements SnapshotReader shares its records with the caller, and the caller must not change them. It clones what
// it changes or returns. Any other store, and a store that does not have the records in memory, is
// read in pages.
//
// Without Local and MinRevision, the scan has the effects of every write that was acknowledged before it started.
// It ends after the last record, when the consumer stops, or with an error of ListPage and a zero
// record. It holds no lock, so the consumer may take its time and may call the store.
func ScanRecords(ctx context.Context, reader interface {
	ListPage(ctx context.Context, query PageQuery) (Page, error)
}, query ScanQuery) iter.Seq2[SharedRecord, error] {
	pages := PageQuery{RecordFilter: query.RecordFilter, Local: query.Local, MinRevision: query.MinRevision, Limit: MaxPageLimit}
	return func(yield func(SharedRecord, error) bool) {
		if snapshots, ok := reader.(SnapshotReader); ok {
			snapshot, err := snapshots.ReadSnapshot(ctx, pages)
			if err != nil {
				yield(SharedRecord{}, err)
				return
			}
			if snapshot != nil {
				scanSnapshot(ctx, snapshot, query, yield)
				return
			}
		}
		scanPages(AllPages(ctx, reader, pages), query, yield)
	}
}

// contextCheckInterval is how many records of a snapshot are scanned between two checks of the
// context.
const contextCheckInterval = 1024

func scanSnapshot(ctx context.Context, snapshot RecordSnapshot, query ScanQuery, yield func(SharedRecord, error) bool) {
	scanned := 0
	for record := range snapshot.Records(&query.RecordFilter) {
		if scanned++; scanned%contextCheckInterval == 0 && ctx.Err() != nil {
			yield(SharedRecord{}, context.Cause(ctx))
			return
		}
		if !yield(record, nil) {
			return
		}
	}
	if query.OnCorrupt != nil {
		for _, corrupt := range snapshot.Corrupt(&query.RecordFilter) {
			query.OnCorrupt(corrupt)
		}
	}
}

func scanPages(pages iter.Seq2[Page, error], query ScanQuery, yield func(SharedRecord, error) bool) {
	for page, err := range pages {
		if err != nil {
			yield(SharedRecord{}, err)
			return
		}
		for i := range page.Records {
			if !yield(SharedRecord{Record: &page.Records[i].Record, Revision: page.Records[i].Revision}, nil) {
				return
			}
		}
		if query.OnCorrupt != nil {
			for _, corrupt := range page.Corrupt {
				query.OnCorrupt(corrupt)
			}
		}
	}
}

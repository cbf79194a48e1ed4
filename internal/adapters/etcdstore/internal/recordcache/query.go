package recordcache

import (
	"iter"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Page returns one page of the records that match the query, as ports.RuntimeReader.ListPage
// does, or runtime.ErrInvalid for an After that no page with the same order has returned.
func (x *Indexes) Page(query ports.PageQuery) (ports.Page, error) {
	shared, err := x.SharedPage(query)
	if err != nil {
		return ports.Page{}, err
	}
	page := ports.Page{Revision: x.Revision, Records: make([]runtime.VersionedRecord, len(shared.Records)), Next: shared.Next, Corrupt: shared.Corrupt}
	var slab cloneSlab
	for i, found := range shared.Records {
		page.Records[i].Revision = found.Revision
		slab.clone(&page.Records[i].Record, found.Record, len(shared.Records)-i)
	}
	return page, nil
}

// SharedPage is Page without a copy of the records.
func (x *Indexes) SharedPage(query ports.PageQuery) (ports.SharedPage, error) {
	if !query.Order.IsZero() {
		return x.sortedPage(query)
	}
	return x.unsortedPage(query), nil
}

// unsortedPage returns a page in the order of keys. Whether a corrupt value matches is unknown, so every
// page names those in its range.
func (x *Indexes) unsortedPage(query ports.PageQuery) ports.SharedPage {
	page := ports.SharedPage{Records: make([]ports.SharedRecord, 0, min(query.Limit, x.sizeOf(&query.RecordFilter)))}
	last, isSelective := "", query.IsSelective()
	x.Scan(&query.RecordFilter, query.After, func(r *Record) bool {
		switch {
		case r.DecodeErr != nil || isSelective && !query.Selects(&r.RuntimeRecord):
		case len(page.Records) == query.Limit:
			page.Next = last
			return false
		default:
			page.Records = append(page.Records, r.shared())
		}
		last = r.Segment
		return true
	})
	x.corrupt.AscendGreaterOrEqual(&Record{Segment: startAfter(query.After)}, func(r *Record) bool {
		if page.Next != "" && r.Segment > page.Next {
			return false
		}
		if corrupt := r.Corrupt(); query.MatchesGame(corrupt.GameID) {
			page.Corrupt = append(page.Corrupt, corrupt)
		}
		return true
	})
	return page
}

// sortedPage returns a page of a query with an order. It reads every record that may match.
func (x *Indexes) sortedPage(query ports.PageQuery) (ports.SharedPage, error) {
	page := ports.SharedPage{}
	var after **Record
	if query.After == "" {
		page.Corrupt = x.CorruptOf(&query.RecordFilter)
	} else {
		last := x.Get(query.After)
		if last == nil || last.DecodeErr != nil {
			return ports.SharedPage{}, InvalidPositionError()
		}
		after = &last
	}
	sorted := ports.NewSortedPage(query.Limit, after, func(a, b *Record) int { return query.Order.Compare(&a.RuntimeRecord, &b.RuntimeRecord) })
	x.scanUnordered(&query.RecordFilter, func(r *Record) {
		if r.DecodeErr == nil && query.Selects(&r.RuntimeRecord) {
			sorted.Add(r)
		}
	})
	records, hasNext := sorted.Records()
	page.Records = make([]ports.SharedRecord, len(records))
	for i, r := range records {
		page.Records[i] = r.shared()
	}
	if hasNext {
		page.Next = records[len(records)-1].Segment
	}
	return page, nil
}

// Records iterates over the records that match the filter, in the order of their keys, without a
// copy of them.
func (x *Indexes) Records(filter *ports.RecordFilter) iter.Seq[ports.SharedRecord] {
	return func(yield func(ports.SharedRecord) bool) {
		isSelective := filter.IsSelective()
		x.Scan(filter, "", func(r *Record) bool {
			return r.DecodeErr != nil || isSelective && !filter.Selects(&r.RuntimeRecord) || yield(r.shared())
		})
	}
}

// CorruptOf returns the decoding errors of corrupt values whose games may match the filter.
func (x *Indexes) CorruptOf(filter *ports.RecordFilter) (corrupt []*runtime.CorruptError) {
	x.ScanCorrupt(func(r *Record) bool {
		if found := r.Corrupt(); filter.MatchesGame(found.GameID) {
			corrupt = append(corrupt, found)
		}
		return true
	})
	return corrupt
}

// Contents returns a value that is equal only for indexes with the same records: one is then the other
// with another revision.
func (x *Indexes) Contents() any { return x.byKey }

// InvalidPositionError returns the error of a position that no page of a sorted list has returned: at
// the revision of the list, the store has no readable record of the game.
func InvalidPositionError() error {
	return &runtime.InvalidError{Field: "after", Reason: "is not the position after a page of this list"}
}

// ScanCorrupt calls visit for every corrupt value until it returns false.
func (x *Indexes) ScanCorrupt(visit func(*Record) bool) { x.corrupt.Ascend(visit) }

// List returns every record with the status, or every record for none, and the decoding
// errors of corrupt values.
func (x *Indexes) List(status runtime.Status) (records []runtime.RuntimeRecord, corrupt []error) {
	filter := ports.FilterByStatus(status)
	size := x.sizeOf(&filter)
	records = make([]runtime.RuntimeRecord, 0, size)
	var slab cloneSlab
	x.Scan(&filter, "", func(r *Record) bool {
		if r.DecodeErr == nil {
			rest := size - len(records)
			records = slices.Grow(records, 1)[:len(records)+1]
			slab.clone(&records[len(records)-1], &r.RuntimeRecord, rest)
		}
		return true
	})
	x.ScanCorrupt(func(r *Record) bool {
		corrupt = append(corrupt, r.Corrupt())
		return true
	})
	return records, corrupt
}

// startAfter returns the first segment after one that a list has processed.
func startAfter(segment string) string {
	if segment == "" {
		return ""
	}
	return etcd.KeyAfter(segment)
}

// shared returns the record as callers share it.
func (r *Record) shared() ports.SharedRecord {
	return ports.SharedRecord{Record: &r.RuntimeRecord, Revision: r.ModRevision}
}

// sizeOf returns how many records a scan of the filter reads at most, 0 if that is not known.
func (x *Indexes) sizeOf(filter *ports.RecordFilter) int { return x.plan(filter).size }

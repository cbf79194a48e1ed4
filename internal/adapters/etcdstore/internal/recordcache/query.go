package recordcache

import (
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Page returns one page of the records that match the query, as ports.RuntimeReader.ListPage
// does. Whether a corrupt value matches is unknown, so every page names those in its range.
func (x *Indexes) Page(query ports.PageQuery) ports.Page {
	page := ports.Page{Revision: x.Revision, Records: []runtime.VersionedRecord{}}
	last := ""
	x.Scan(&query.RecordFilter, query.After, func(r *Record) bool {
		switch {
		case r.DecodeErr != nil || !query.Matches(r.RuntimeRecord):
		case len(page.Records) == query.Limit:
			page.Next = last
			return false
		default:
			page.Records = append(page.Records, r.Versioned())
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

// SortedPage returns one page of the records that match a query with an order. It reads every record
// that may match.
func (x *Indexes) SortedPage(query ports.PageQuery) (ports.Page, error) {
	page := ports.Page{Revision: x.Revision, Records: []runtime.VersionedRecord{}}
	var after **Record
	if query.After == "" {
		x.ScanCorrupt(func(r *Record) bool {
			if corrupt := r.Corrupt(); query.MatchesGame(corrupt.GameID) {
				page.Corrupt = append(page.Corrupt, corrupt)
			}
			return true
		})
	} else {
		last := x.Get(query.After)
		if last == nil || last.DecodeErr != nil {
			return ports.Page{}, InvalidPositionError()
		}
		after = &last
	}
	sorted := ports.NewSortedPage(query.Limit, after, func(a, b *Record) int { return query.Order.Compare(&a.RuntimeRecord, &b.RuntimeRecord) })
	x.scanUnordered(&query.RecordFilter, func(r *Record) {
		if r.DecodeErr == nil && query.Matches(r.RuntimeRecord) {
			sorted.Add(r)
		}
	})
	records, hasNext := sorted.Records()
	for _, r := range records {
		page.Records = append(page.Records, r.Versioned())
	}
	if hasNext {
		page.Next = records[len(records)-1].Segment
	}
	return page, nil
}

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
	records = []runtime.RuntimeRecord{}
	var slab timeSlab
	if status == "" {
		records = make([]runtime.RuntimeRecord, 0, x.byKey.Len())
	}
	filter := ports.FilterByStatus(status)
	x.Scan(&filter, "", func(r *Record) bool {
		if r.DecodeErr == nil {
			records = append(records, slab.clone(r.RuntimeRecord))
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

// timeSlab clones records so that the timestamps of the clones share memory with each other,
// and none with the originals. Otherwise a list would mostly be small allocations.
type timeSlab struct{ free []time.Time }

func (s *timeSlab) clone(rec runtime.RuntimeRecord) runtime.RuntimeRecord {
	timestamps := [...]*time.Time{s.copy(rec.StartedAt), s.copy(rec.StoppedAt), s.copy(rec.RemovedAt)}
	rec.StartedAt, rec.StoppedAt, rec.RemovedAt = nil, nil, nil
	rec = rec.Clone()
	rec.StartedAt, rec.StoppedAt, rec.RemovedAt = timestamps[0], timestamps[1], timestamps[2]
	return rec
}

func (s *timeSlab) copy(at *time.Time) *time.Time {
	if at == nil {
		return nil
	}
	if len(s.free) == 0 {
		s.free = make([]time.Time, 128)
	}
	copied := &s.free[0]
	s.free = s.free[1:]
	*copied = *at
	return copied
}

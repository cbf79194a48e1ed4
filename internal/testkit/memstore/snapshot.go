package memstore

import (
	"cmp"
	"context"
	"iter"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.SnapshotReader = (*Store)(nil)

// ReadSnapshot implements ports.SnapshotReader.
func (s *Store) ReadSnapshot(ctx context.Context, query ports.PageQuery) (ports.RecordSnapshot, error) {
	query.Limit = cmp.Or(query.Limit, ports.MaxPageLimit)
	if err := query.Validate(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	revision := cmp.Or(query.Revision, s.revision)
	if err := s.checkRevision(revision); err != nil {
		return nil, err
	}
	versions := s.matchingVersions(ports.WatchOptions{}, revision, "")
	records := make([]ports.SharedRecord, len(versions))
	for i, v := range versions {
		records[i] = ports.SharedRecord{Record: v.record, Revision: v.revision}
	}
	return snapshot{revision, records}, nil
}

// snapshot implements ports.RecordSnapshot. The records are in the order of their keys.
type snapshot struct {
	revision int64
	records  []ports.SharedRecord
}

// Revision implements ports.RecordSnapshot.
func (s snapshot) Revision() int64 { return s.revision }

// Contents implements ports.RecordSnapshot. Every revision changes a record.
func (s snapshot) Contents() any { return s.revision }

// Page implements ports.RecordSnapshot.
func (s snapshot) Page(query ports.PageQuery) (ports.SharedPage, error) {
	found := slices.Collect(s.Records(&query.RecordFilter))
	if !query.Order.IsZero() {
		slices.SortFunc(found, func(a, b ports.SharedRecord) int { return query.Order.Compare(a.Record, b.Record) })
	}
	found, err := recordsAfter(found, query)
	if err != nil {
		return ports.SharedPage{}, err
	}
	page := ports.SharedPage{Records: found}
	if len(found) > query.Limit {
		page.Records = found[:query.Limit]
		page.Next = storeKey(found[query.Limit-1].Record.GameID)
	}
	return page, nil
}

// recordsAfter returns the records after the position of the query.
func recordsAfter(records []ports.SharedRecord, query ports.PageQuery) ([]ports.SharedRecord, error) {
	if query.After == "" {
		return records, nil
	}
	if query.Order.IsZero() {
		return slices.DeleteFunc(records, func(r ports.SharedRecord) bool { return storeKey(r.Record.GameID) <= query.After }), nil
	}
	last := slices.IndexFunc(records, func(r ports.SharedRecord) bool { return storeKey(r.Record.GameID) == query.After })
	if last < 0 {
		return nil, &runtime.InvalidError{Field: "after", Reason: "is not the position after a page of this list"}
	}
	return records[last+1:], nil
}

// Records implements ports.RecordSnapshot.
func (s snapshot) Records(filter *ports.RecordFilter) iter.Seq[ports.SharedRecord] {
	return func(yield func(ports.SharedRecord) bool) {
		for _, record := range s.records {
			if filter.Selects(record.Record) && !yield(record) {
				return
			}
		}
	}
}

// Corrupt implements ports.RecordSnapshot: there are no corrupt values.
func (s snapshot) Corrupt(*ports.RecordFilter) []*runtime.CorruptError { return nil }

// Retain implements ports.RecordSnapshot. The store has every revision.
func (s snapshot) Retain() {}

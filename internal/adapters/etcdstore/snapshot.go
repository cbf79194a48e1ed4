package etcdstore

import (
	"context"
	"iter"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.SnapshotReader = (*Store)(nil)

// ReadSnapshot implements ports.SnapshotReader. It returns nil without a cache that can serve the query.
func (s *Store) ReadSnapshot(ctx context.Context, query ports.PageQuery) (ports.RecordSnapshot, error) {
	if query.Limit == 0 {
		query.Limit = ports.MaxPageLimit
	}
	if err := query.Validate(); err != nil {
		return nil, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if s.reflector == nil {
		return nil, nil
	}
	records := s.recordsOfList(ctx, query, s.waitUntilFresh) // ListPage counts the fallback
	if records == nil {
		return nil, nil
	}
	return snapshot{records, s.reflector.cache}, nil
}

// snapshot implements ports.RecordSnapshot by the records of the cache.
type snapshot struct {
	records *recordcache.Indexes
	cache   *recordcache.Cache
}

// Revision implements ports.RecordSnapshot.
func (s snapshot) Revision() int64 { return s.records.Revision }

// Contents implements ports.RecordSnapshot.
func (s snapshot) Contents() any { return s.records.Contents() }

// Page implements ports.RecordSnapshot.
func (s snapshot) Page(query ports.PageQuery) (ports.SharedPage, error) {
	return s.records.SharedPage(query)
}

// Records implements ports.RecordSnapshot.
func (s snapshot) Records(filter *ports.RecordFilter) iter.Seq[ports.SharedRecord] {
	return s.records.Records(filter)
}

// Corrupt implements ports.RecordSnapshot.
func (s snapshot) Corrupt(filter *ports.RecordFilter) []*runtime.CorruptError {
	return s.records.CorruptOf(filter)
}

// Retain implements ports.RecordSnapshot.
func (s snapshot) Retain() { s.cache.Retain(s.records) }

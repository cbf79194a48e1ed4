package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/fsck"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// maxGetsPerTxn is how many keys one transaction reads: etcd allows 128 operations.
const maxGetsPerTxn = 100

// ListRecords implements ports.RecordMethods.
func (s *Store) ListRecords(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer end()
	if snapshot := s.freshSnapshot(ctx); snapshot != nil {
		records, corrupt := snapshot.List(status)
		return records, errors.Join(corrupt...)
	}
	var corrupt []error
	records, err := etcd.RetryOnCompaction(ctx, func(ctx context.Context) (records []runtime.RuntimeRecord, err error) {
		records, corrupt, err = s.listFromEtcd(ctx, status)
		return records, err
	})
	if err != nil {
		return nil, err
	}
	return records, errors.Join(corrupt...)
}

// listFromEtcd reads page after page at the revision of the first one.
func (s *Store) listFromEtcd(ctx context.Context, status runtime.Status) (records []runtime.RuntimeRecord, corrupt []error, err error) {
	records = []runtime.RuntimeRecord{}
	query := ports.PageQuery{RecordFilter: ports.FilterByStatus(status), Limit: ports.MaxPageLimit}
	for {
		page, err := s.pageFromEtcd(ctx, query)
		if err != nil {
			return nil, nil, err
		}
		for _, rec := range page.Records {
			records = append(records, rec.Record)
		}
		for _, fault := range page.Corrupt {
			corrupt = append(corrupt, fault)
		}
		if page.Next == "" {
			return records, corrupt, nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

// ListPage implements ports.RuntimeReader.
func (s *Store) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	ctx, end, err := s.begin(ctx)
	if err != nil {
		return ports.Page{}, err
	}
	defer end()
	if page, isServed, err := s.pageFromCache(ctx, query); isServed {
		return page, err
	}
	page, err := s.pageFromEtcd(ctx, query)
	if query.Local && err == nil {
		s.noteServedLocally(page.Revision)
	}
	return page, err
}

// pageFromEtcd reads a page from etcd. A query by one status uses the status index; any other
// reads the records in order.
func (s *Store) pageFromEtcd(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	read := func(ctx context.Context) (ports.Page, error) {
		r := &pageReader{store: s, query: query, page: ports.Page{Revision: query.Revision, Records: []runtime.VersionedRecord{}}}
		if !query.Order.IsZero() {
			return r.readSorted(ctx)
		}
		err := r.read(ctx)
		return r.page, err
	}
	var page ports.Page
	var err error
	if query.Revision == 0 {
		page, err = etcd.RetryOnCompaction(ctx, read)
	} else {
		page, err = read(ctx)
	}
	if err != nil {
		return ports.Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

// pageReader reads one page from etcd.
type pageReader struct {
	store  *Store
	query  ports.PageQuery
	family string // prefix of the keys that it scans
	page   ports.Page
	// last is the last key that was processed, without the family. The next page starts after
	// it.
	last string
}

// read scans keys until the page is full or there are no more.
func (r *pageReader) read(ctx context.Context) error {
	add := r.addRecords
	r.family = r.store.keys.Records()
	if r.usesStatusIndex() {
		add = r.addIndexed
		r.family = r.store.keys.StatusIndexOf(r.query.Statuses[0])
	}
	from := r.family
	if r.query.After != "" {
		from = etcd.KeyAfter(r.family + r.query.After)
	}
	if r.query.Revision == 0 && r.usesStatusIndex() {
		revision, missed, err := fsck.VerifyStatusIndex(ctx, r.store.etcd, r.store.keys, r.query.Statuses[0])
		if err != nil {
			return err
		}
		r.page.Revision = revision
		r.page.Corrupt = slices.DeleteFunc(missed, func(c *runtime.CorruptError) bool { return !r.query.MatchesGame(c.GameID) })
	}
	keys := etcd.ScanRange{Family: r.family, From: from, Revision: r.page.Revision}
	if !r.isFiltered() {
		keys.Enough = r.query.Limit + 1 // the key after the page proves that there is another page
	}
	_, err := r.store.etcd.ScanRange(ctx, keys, func(revision int64, kvs []*mvccpb.KeyValue) (bool, error) {
		r.page.Revision = revision
		isFull, err := add(ctx, kvs)
		return !isFull, err
	})
	return err
}

// usesStatusIndex reports whether the query is by one status, whose index names its records.
func (r *pageReader) usesStatusIndex() bool { return len(r.query.Statuses) == 1 }

// isFiltered reports whether a record of the scanned keys may not match.
func (r *pageReader) isFiltered() bool {
	filter := r.query.RecordFilter
	if r.usesStatusIndex() {
		filter.Statuses = nil
	}
	return filter.IsSelective()
}

// addRecords adds the records that match, and reports whether the page is full.
func (r *pageReader) addRecords(_ context.Context, kvs []*mvccpb.KeyValue) (isFull bool, err error) {
	for _, kv := range kvs {
		rec, err := r.store.keys.DecodeRecord(kv)
		if !r.addOrStop(kv, rec, err) {
			return true, nil
		}
	}
	return false, nil
}

// addIndexed adds the records that the index keys name and that match, and reports whether
// the page is full.
func (r *pageReader) addIndexed(ctx context.Context, kvs []*mvccpb.KeyValue) (isFull bool, err error) {
	for start := 0; start < len(kvs); start += maxGetsPerTxn {
		chunk := kvs[start:min(start+maxGetsPerTxn, len(kvs))]
		records, err := r.readIndexed(ctx, chunk)
		if err != nil {
			return false, err
		}
		for i, kv := range chunk {
			rec, err := r.checkIndexed(kv, records[i])
			if !r.addOrStop(kv, rec, err) {
				return true, nil
			}
		}
	}
	return false, nil
}

// readIndexed reads the record of each index key at the page's revision; nil if there is
// none, or if the key does not name a game.
func (r *pageReader) readIndexed(ctx context.Context, kvs []*mvccpb.KeyValue) ([]*mvccpb.KeyValue, error) {
	gets := make([]clientv3.Op, len(kvs))
	for i, kv := range kvs {
		segment := string(kv.GetKey())[len(r.family):]
		gets[i] = clientv3.OpGet(r.store.keys.Records()+segment, clientv3.WithRev(r.page.Revision))
	}
	return r.store.etcd.GetEach(ctx, gets)
}

// checkIndexed decodes the record of an index key and compares the two.
func (r *pageReader) checkIndexed(index, record *mvccpb.KeyValue) (*layout.Record, error) {
	var rec *layout.Record
	var gameID string
	if record == nil {
		_, gameID, _ = r.store.keys.ParseStatusIndex(string(index.GetKey())) // empty if the key names none
	} else {
		var err error
		if rec, err = r.store.keys.DecodeRecord(record); err != nil {
			return nil, err
		}
		gameID = rec.GameID
	}
	if fault := layout.StatusIndexFault(rec, r.query.Statuses[0], index); fault != "" {
		return nil, &runtime.CorruptError{Key: string(index.GetKey()), GameID: gameID, Reason: fault}
	}
	return rec, nil
}

// addOrStop processes a key: it adds the record if it matches, or the error of a corrupt value
// to Corrupt. It returns false, and sets Next, if the page has no space for the record: only
// then is it certain that another page follows.
func (r *pageReader) addOrStop(kv *mvccpb.KeyValue, rec *layout.Record, err error) bool {
	fault, isCorrupt := errors.AsType[*runtime.CorruptError](err)
	switch {
	case isCorrupt:
		if r.query.MatchesGame(fault.GameID) {
			r.page.Corrupt = append(r.page.Corrupt, fault)
		}
	case !r.query.Matches(rec.RuntimeRecord):
	case len(r.page.Records) == r.query.Limit:
		r.page.Next = r.last
		return false
	default:
		r.page.Records = append(r.page.Records, rec.Versioned())
	}
	r.last = string(kv.GetKey())[len(r.family):]
	return true
}

package etcdstore

import (
	"context"
	"errors"
	"fmt"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// getsPerTxn is how many records one transaction fetches by key: etcd allows
// 128 operations.
const getsPerTxn = 100

// List implements ports.RuntimeRecordStore.
func (s *Store) List(ctx context.Context) ([]runtime.RuntimeRecord, error) {
	return s.listAll(ctx, "")
}

// ListByStatus implements ports.RuntimeRecordStore through the status index.
func (s *Store) ListByStatus(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	if _, err := runtime.ParseStatus("status", string(status)); err != nil {
		return nil, err
	}
	return s.listAll(ctx, status)
}

func (s *Store) listAll(ctx context.Context, status runtime.Status) ([]runtime.RuntimeRecord, error) {
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	if records, faults, ok := s.listCached(ctx, status); ok {
		return records, errors.Join(faults...)
	}
	var faults []error
	records, err := asOfNow(ctx, func(ctx context.Context) (records []runtime.RuntimeRecord, err error) {
		records, faults, err = s.listOnce(ctx, status)
		return records, err
	})
	if err != nil {
		return nil, err
	}
	return records, errors.Join(faults...)
}

// listOnce reads page after page at the revision of the first one.
func (s *Store) listOnce(ctx context.Context, status runtime.Status) (records []runtime.RuntimeRecord, faults []error, err error) {
	records = []runtime.RuntimeRecord{}
	query := ports.PageQuery{Status: status, Limit: ports.MaxPageLimit}
	for {
		page, err := s.listPage(ctx, query)
		if err != nil {
			return nil, nil, err
		}
		for _, rec := range page.Records {
			records = append(records, rec.Record)
		}
		for _, fault := range page.Corrupt {
			faults = append(faults, fault)
		}
		if page.Next == "" {
			return records, faults, nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

// ListPage implements ports.RuntimeReader.
func (s *Store) ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	if err := query.Validate(); err != nil {
		return ports.Page{}, err
	}
	ctx, done, err := s.begin(ctx)
	if err != nil {
		return ports.Page{}, err
	}
	defer done()
	if page, ok := s.pageCached(ctx, query); ok {
		return page, nil
	}
	page, err := s.listPage(ctx, query)
	if query.Local && err == nil {
		s.toldLocally(page.Revision)
	}
	return page, err
}

// listPage asks etcd for a page. A query by status goes through the index; any
// other reads the records in order.
func (s *Store) listPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	fill := func(ctx context.Context) (ports.Page, error) { return s.fillPage(ctx, query) }
	var page ports.Page
	var err error
	if query.Revision == 0 {
		page, err = asOfNow(ctx, fill)
	} else {
		page, err = fill(ctx)
	}
	if err != nil {
		return ports.Page{}, fmt.Errorf("list: %w", err)
	}
	return page, nil
}

func (s *Store) fillPage(ctx context.Context, query ports.PageQuery) (ports.Page, error) {
	l := &lister{store: s, query: query, page: ports.Page{Revision: query.Revision, Records: []runtime.VersionedRecord{}}}
	err := l.fill(ctx)
	return l.page, err
}

// lister fills one page.
type lister struct {
	store  *Store
	query  ports.PageQuery
	family string // prefix of the keys it scans
	page   ports.Page
	// last is the end of the key that was dealt with last, without the family;
	// where a page is full the next one starts behind it.
	last string
}

// fill scans key after key until the page is full or the keys are at their end.
func (l *lister) fill(ctx context.Context) error {
	take := l.takeRecords
	l.family = l.store.keys.Records()
	if l.query.Status != "" {
		take = l.takeIndexed
		l.family = l.store.keys.StatusIndexOf(l.query.Status)
	}
	from := l.family
	if l.query.After != "" {
		from = etcd.KeyAfter(l.family + l.query.After)
	}
	if l.query.Revision == 0 && l.query.Status != "" {
		if err := l.vouchForIndex(ctx); err != nil {
			return err
		}
	}
	_, err := l.store.scan(ctx, l.family, from, l.page.Revision, func(revision int64, kvs []*mvccpb.KeyValue) (bool, error) {
		l.page.Revision = revision
		full, err := take(ctx, kvs)
		return !full, err
	})
	return err
}

// takeRecords adds the records among kvs that match, and reports whether the
// page is full.
func (l *lister) takeRecords(_ context.Context, kvs []*mvccpb.KeyValue) (bool, error) {
	for _, kv := range kvs {
		rec, err := l.store.keys.DecodeRecord(kv)
		if l.full(kv, rec, err) {
			return true, nil
		}
	}
	return false, nil
}

// takeIndexed adds the records that the index keys name and that match.
func (l *lister) takeIndexed(ctx context.Context, kvs []*mvccpb.KeyValue) (bool, error) {
	for start := 0; start < len(kvs); start += getsPerTxn {
		chunk := kvs[start:min(start+getsPerTxn, len(kvs))]
		records, err := l.fetchIndexed(ctx, chunk)
		if err != nil {
			return false, err
		}
		for i, kv := range chunk {
			rec, err := l.checkIndexed(kv, records[i])
			if l.full(kv, rec, err) {
				return true, nil
			}
		}
	}
	return false, nil
}

// fetchIndexed reads the record behind each index key at the page's revision;
// nil where there is none, or where the key names no game.
func (l *lister) fetchIndexed(ctx context.Context, kvs []*mvccpb.KeyValue) ([]*mvccpb.KeyValue, error) {
	gets := make([]clientv3.Op, len(kvs))
	for i, kv := range kvs {
		segment := string(kv.GetKey())[len(l.family):]
		gets[i] = clientv3.OpGet(l.store.keys.Records()+segment, clientv3.WithRev(l.page.Revision))
	}
	return l.store.getEach(ctx, gets)
}

// checkIndexed decodes the record behind an index key and compares the two.
func (l *lister) checkIndexed(index, record *mvccpb.KeyValue) (*layout.Record, error) {
	if record == nil {
		_, gameID, _ := l.store.keys.ParseStatusIndex(string(index.GetKey())) // empty where the key names none
		return nil, &runtime.CorruptError{Key: string(index.GetKey()), GameID: gameID, Reason: "the index names a game without a record"}
	}
	rec, err := l.store.keys.DecodeRecord(record)
	if err != nil {
		return nil, err
	}
	if reason := layout.StatusIndexFault(rec, l.query.Status, index); reason != "" {
		return nil, &runtime.CorruptError{Key: string(index.GetKey()), GameID: rec.GameID, Reason: reason}
	}
	return rec, nil
}

// full deals with what was found at a key: a record goes on the page if it
// matches, a damaged value into Corrupt. It reports true, and sets Next, when
// the record had no room any more: only then is it sure that more follows.
func (l *lister) full(kv *mvccpb.KeyValue, rec *layout.Record, err error) bool {
	fault, corrupt := errors.AsType[*runtime.CorruptError](err)
	switch {
	case corrupt:
		l.page.Corrupt = append(l.page.Corrupt, fault)
	case l.query.Region != "" && rec.Region != l.query.Region, l.query.Node != "" && rec.Node != l.query.Node:
	case len(l.page.Records) == l.query.Limit:
		l.page.Next = l.last
		return true
	default:
		l.page.Records = append(l.page.Records, rec.Versioned())
	}
	l.last = string(kv.GetKey())[len(l.family):]
	return false
}

package etcdstore

import (
	"context"
	"errors"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// readSorted reads a page of a sorted list. It scans every record at the revision of the list, since
// etcd has no index of the field. The memory that it needs does not depend on the number of records.
func (r *pageReader) readSorted(ctx context.Context) (ports.Page, error) {
	r.family = r.store.keys.Records()
	after, err := r.readLast(ctx)
	if err != nil {
		return ports.Page{}, err
	}
	sorted := ports.NewSortedPage(r.query.Limit, after, func(a, b *layout.Record) int {
		return r.query.Order.Compare(&a.RuntimeRecord, &b.RuntimeRecord)
	})
	keys := etcd.ScanRange{Family: r.family, From: r.family, Revision: r.page.Revision}
	_, err = r.store.etcd.ScanRange(ctx, keys, func(revision int64, kvs []*mvccpb.KeyValue) (bool, error) {
		r.page.Revision = revision
		for _, kv := range kvs {
			r.addSorted(sorted, kv)
		}
		return true, nil
	})
	if err != nil {
		return ports.Page{}, err
	}
	records, hasNext := sorted.Records()
	for _, rec := range records {
		r.page.Records = append(r.page.Records, rec.Versioned())
	}
	if hasNext {
		r.page.Next = layout.EscapeGameID(records[len(records)-1].GameID)
	}
	return r.page, nil
}

// readLast returns the last record of the previous page, nil for the first page.
func (r *pageReader) readLast(ctx context.Context) (*(*layout.Record), error) {
	if r.query.After == "" {
		return nil, nil
	}
	kvs, err := r.store.etcd.GetEach(ctx, []clientv3.Op{clientv3.OpGet(r.family+r.query.After, clientv3.WithRev(r.query.Revision))})
	switch {
	case err != nil:
		return nil, err
	case kvs[0] == nil:
		return nil, recordcache.InvalidPositionError()
	}
	last, err := r.store.keys.DecodeRecord(kvs[0])
	if err != nil {
		return nil, recordcache.InvalidPositionError()
	}
	return &last, nil
}

// addSorted adds a record if it matches, and the error of a corrupt value to the first page.
func (r *pageReader) addSorted(sorted *ports.SortedPage[*layout.Record], kv *mvccpb.KeyValue) {
	rec, err := r.store.keys.DecodeRecord(kv)
	fault, isCorrupt := errors.AsType[*runtime.CorruptError](err)
	switch {
	case isCorrupt && r.query.After == "" && r.query.MatchesGame(fault.GameID):
		r.page.Corrupt = append(r.page.Corrupt, fault)
	case err == nil && r.query.Matches(rec.RuntimeRecord):
		sorted.Add(rec)
	}
}

package etcdstore

import (
	"context"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// resync starts the stream over for a consumer with Resync.
func (w *watch) resync(ctx context.Context) error {
	w.isResyncing = true
	revision, err := w.store.currentRevision(ctx)
	if err != nil {
		return err
	}
	w.store.logger.Warn("watch starts over with a snapshot", "from_revision", w.position, "revision", revision)
	if err := w.send(watchEvent{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: revision, Reason: w.resyncReason}}); err != nil {
		return err
	}
	return w.snapshot(ctx)
}

// snapshot delivers every record that matches the filter as of one revision, then the deletion
// of those that were delivered before and no longer exist, then synced. The changes after that
// revision follow, so that none is missed or repeated.
func (w *watch) snapshot(ctx context.Context) error {
	missing := maps.Clone(w.delivered)
	revision, err := w.deliverRecords(ctx, missing)
	if err != nil {
		return err
	}
	for _, gameID := range slices.Sorted(maps.Keys(missing)) {
		before := missing[gameID]
		if err := w.send(watchEvent{event: ports.RuntimeEvent{Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: &before}}); err != nil {
			return err
		}
	}
	w.position, w.isResyncing, w.options.Store = revision, false, ""
	return w.send(watchEvent{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: revision, Last: true}})
}

// deliverRecords delivers every record that matches the filter, from the cache if it is fresh,
// and removes the games that exist from missing. It returns the revision of the records.
func (w *watch) deliverRecords(ctx context.Context, missing map[string]runtime.RuntimeRecord) (int64, error) {
	w.epoch = w.store.epoch()
	if snapshot := w.store.freshSnapshot(ctx); snapshot != nil {
		return snapshot.Revision, w.deliverSnapshot(snapshot, missing)
	}
	family := w.store.keys.Records()
	return w.store.etcd.Scan(ctx, family, family, 0, func(revision int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			if err := w.deliverRecord(revision, recordcache.NewRecord(w.store.keys, kv), missing); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// deliverSnapshot is deliverRecords from the cache. It reads only the records that may match.
func (w *watch) deliverSnapshot(snapshot *recordcache.Indexes, missing map[string]runtime.RuntimeRecord) (err error) {
	deliver := func(r *recordcache.Record) bool {
		err = w.deliverRecord(snapshot.Revision, r, missing)
		return err == nil
	}
	if w.options.GameID != "" {
		if r := snapshot.Get(layout.EscapeGameID(w.options.GameID)); r != nil {
			deliver(r)
		}
		return err
	}
	snapshot.Scan(&w.options.RecordFilter, "", func(r *recordcache.Record) bool {
		return r.DecodeErr != nil || deliver(r)
	})
	if err == nil {
		snapshot.ScanCorrupt(deliver)
	}
	for gameID := range missing {
		if snapshot.Get(layout.EscapeGameID(gameID)) != nil { // it exists and has left the filter
			delete(missing, gameID)
			delete(w.delivered, gameID)
		}
	}
	return err
}

// deliverRecord delivers one record of a snapshot if it matches the filter.
func (w *watch) deliverRecord(revision int64, r *recordcache.Record, missing map[string]runtime.RuntimeRecord) error {
	e := watchEvent{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: revision}}
	if r.DecodeErr != nil {
		e = corruptEvent(r.DecodeErr, revision)
	} else {
		e.event.After, e.event.GameID = eventRecord(r)
	}
	delete(missing, e.event.GameID)
	if !w.matches(e) {
		delete(w.delivered, e.event.GameID)
		return nil
	}
	return w.send(e)
}

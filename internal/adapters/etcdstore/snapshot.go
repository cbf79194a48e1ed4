package etcdstore

import (
	"context"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/layout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// resync starts the stream over for a consumer that cannot stop.
func (w *watch) resync(ctx context.Context) error {
	w.adrift = true
	head, err := w.store.headFor(ctx)
	if err != nil {
		return err
	}
	w.store.log.Warn("watch starts over with a snapshot", "from_revision", w.position, "revision", head)
	if err := w.send(told{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: head}}); err != nil {
		return err
	}
	return w.snapshot(ctx)
}

// snapshot delivers every record that passes the filter as of one revision,
// then what the consumer was told of and that is gone, then synced. The live
// part begins right behind that revision, so nothing is missed or repeated.
func (w *watch) snapshot(ctx context.Context) error {
	vanished := maps.Clone(w.known)
	revision, err := w.deliverRecords(ctx, vanished)
	if err != nil {
		return err
	}
	for _, gameID := range slices.Sorted(maps.Keys(vanished)) {
		before := vanished[gameID]
		if err := w.send(told{event: ports.RuntimeEvent{Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: &before}}); err != nil {
			return err
		}
	}
	w.position, w.adrift = revision, false
	return w.send(told{event: ports.RuntimeEvent{Type: ports.EventSynced, Revision: revision, Last: true}})
}

// deliverRecords delivers every record that passes the filter, from the cache
// where that is fresh, and takes those it comes across out of vanished. It returns
// the revision that they are as of.
func (w *watch) deliverRecords(ctx context.Context, vanished map[string]runtime.RuntimeRecord) (int64, error) {
	w.epoch = w.store.era()
	if now := w.store.freshTrees(ctx); now != nil {
		return now.revision, w.deliverTrees(now, vanished)
	}
	records := w.store.keys.Records()
	return w.store.scan(ctx, records, records, 0, func(at int64, kvs []*mvccpb.KeyValue) (bool, error) {
		for _, kv := range kvs {
			if err := w.deliverRecord(at, newEntry(w.store.keys, kv), vanished); err != nil {
				return false, err
			}
		}
		return true, nil
	})
}

// deliverTrees is deliverRecords from the cache's records, of which it looks only
// at those that may pass.
func (w *watch) deliverTrees(now *trees, vanished map[string]runtime.RuntimeRecord) (err error) {
	deliver := func(e *entry) bool {
		err = w.deliverRecord(now.revision, e, vanished)
		return err == nil
	}
	if w.options.GameID != "" {
		if e := now.get(layout.EscapeGameID(w.options.GameID)); e != nil {
			deliver(e)
		}
		return err
	}
	now.ascend(ports.PageQuery{Status: w.options.Status, Region: w.options.Region, Node: w.options.Node}, func(e *entry) bool {
		return e.fault != nil || deliver(e)
	})
	if err == nil {
		now.damaged.Ascend(deliver)
	}
	for gameID := range vanished {
		if now.get(layout.EscapeGameID(gameID)) != nil { // it is there and has left the filter
			delete(vanished, gameID)
			delete(w.known, gameID)
		}
	}
	return err
}

func (w *watch) deliverRecord(at int64, e *entry, vanished map[string]runtime.RuntimeRecord) error {
	t := told{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: at}}
	if e.fault != nil {
		t = fault(e.fault, at)
	} else {
		t.event.After, t.event.GameID = e.told()
	}
	delete(vanished, t.event.GameID)
	if !w.passes(t) {
		delete(w.known, t.event.GameID)
		return nil
	}
	return w.send(t)
}

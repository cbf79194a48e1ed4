package etcdstore

import (
	"context"
	"maps"
	"slices"

	"go.etcd.io/etcd/api/v3/mvccpb"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// resync starts the stream over for a consumer that cannot stop.
func (w *watch) resync(ctx context.Context) error {
	w.adrift = true
	head, err := w.store.get(ctx, w.store.keys.schema())
	if err != nil {
		return err
	}
	w.store.log.Warn("watch starts over with a snapshot", "from_revision", w.position, "revision", head.Header.GetRevision())
	if err := w.send(told{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: head.Header.GetRevision()}}); err != nil {
		return err
	}
	return w.snapshot(ctx)
}

// snapshot delivers every record that passes the filter as of one revision,
// then what the consumer was told of and that is gone, then synced. The live
// part begins right behind that revision, so nothing is missed or repeated.
func (w *watch) snapshot(ctx context.Context) error {
	vanished := maps.Clone(w.known)
	records := w.store.keys.records()
	revision, err := w.store.scan(ctx, records, records, 0, func(at int64, kvs []*mvccpb.KeyValue) (bool, error) {
		return true, w.deliverPage(at, kvs, vanished)
	})
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

func (w *watch) deliverPage(at int64, page []*mvccpb.KeyValue, vanished map[string]runtime.RuntimeRecord) error {
	for _, kv := range page {
		t := told{event: ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: at}}
		rec, err := w.store.keys.decodeRecord(kv)
		if err != nil {
			t = fault(err, at)
		} else {
			after := rec.Clone()
			t.event.GameID, t.event.After = rec.GameID, &after
		}
		delete(vanished, t.event.GameID)
		if !w.passes(t) {
			delete(w.known, t.event.GameID)
			continue
		}
		if err := w.send(t); err != nil {
			return err
		}
	}
	return nil
}

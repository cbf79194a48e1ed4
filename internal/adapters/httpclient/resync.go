package httpclient

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// withVanished returns what is pending. Where that is a snapshot which replaces
// an earlier one, the games that the consumer was told of and that have vanished
// come as deleted, before synced. The server cannot know them: to it, the
// connection after a broken one is a new stream.
func (w *watcher) withVanished(ctx context.Context, revision int64) ([]pendingItem, error) {
	synced := slices.IndexFunc(w.pending, func(p pendingItem) bool { return p.event.Type == ports.EventSynced })
	if w.told == nil || synced < 0 {
		return w.pending, nil
	}
	var items []pendingItem
	if w.resyncs && !w.resyncing() {
		items = append(items, pendingItem{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: revision}})
	}
	items = append(items, w.pending[:synced]...)
	for _, gameID := range w.unnamed(w.pending[:synced]) {
		vanished, err := w.vanished(ctx, gameID)
		if err != nil {
			return nil, err
		}
		if vanished {
			items = append(items, pendingItem{event: ports.RuntimeEvent{
				Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: w.told[gameID],
			}})
		}
	}
	w.resyncs = false
	return append(items, w.pending[synced:]...), nil
}

// unnamed returns the games that the consumer was told of and that the items do
// not name, in order.
func (w *watcher) unnamed(items []pendingItem) []string {
	named := map[string]bool{}
	for _, item := range items {
		named[item.event.GameID] = true
	}
	var ids []string
	for id := range w.told {
		if !named[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// vanished reports whether a game that is not in a snapshot has no record any
// more. One that is only outside the filter now has one.
func (w *watcher) vanished(ctx context.Context, gameID string) (bool, error) {
	if w.options.Status == "" && w.options.Region == "" && w.options.Node == "" {
		return true, nil
	}
	_, err := w.client.GetVersioned(ctx, gameID)
	switch {
	case errors.Is(err, runtime.ErrNotFound):
		return true, nil
	case errors.Is(err, runtime.ErrCorrupt):
		return false, nil
	}
	return false, err
}

// remember keeps account of what the consumer holds.
func (w *watcher) remember(event ports.RuntimeEvent) {
	switch {
	case w.told == nil:
	case event.Type == ports.EventResync:
		clear(w.told)
	case event.GameID == "" || event.Type == "":
	case event.After != nil && w.options.Matches(*event.After):
		record := event.After.Clone()
		w.told[event.GameID] = &record
	default:
		delete(w.told, event.GameID)
	}
}

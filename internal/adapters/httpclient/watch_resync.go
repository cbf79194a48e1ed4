package httpclient

import (
	"context"
	"errors"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// withDeletedGames returns the pending items. If they are a snapshot that replaces an
// earlier one, it adds a deleted event, before synced, for each delivered game that no
// longer exists. The server cannot send these events: for the server, the connection
// after a broken one is a new stream.
func (w *watcher) withDeletedGames(ctx context.Context, revision int64) ([]pendingItem, error) {
	synced := slices.IndexFunc(w.pending, func(p pendingItem) bool { return p.event.Type == ports.EventSynced })
	if w.delivered == nil || synced < 0 {
		return w.pending, nil
	}
	var items []pendingItem
	if w.replacesDelivered && !w.isResyncPending() {
		items = append(items, pendingItem{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: revision, Reason: w.resyncReason}})
	}
	items = append(items, w.pending[:synced]...)
	for _, gameID := range w.gamesNotIn(w.pending[:synced]) {
		deleted, err := w.isDeleted(ctx, gameID)
		if err != nil {
			return nil, err
		}
		if deleted {
			items = append(items, pendingItem{event: ports.RuntimeEvent{
				Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: w.delivered[gameID],
			}})
		}
	}
	w.replacesDelivered = false
	return append(items, w.pending[synced:]...), nil
}

// gamesNotIn returns the delivered games that the items do not contain, sorted.
func (w *watcher) gamesNotIn(items []pendingItem) []string {
	named := map[string]bool{}
	for _, item := range items {
		named[item.event.GameID] = true
	}
	var ids []string
	for id := range w.delivered {
		if !named[id] {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids
}

// isDeleted reports whether a game that the snapshot does not contain has no record. A
// game that only stopped matching the filter still has one.
func (w *watcher) isDeleted(ctx context.Context, gameID string) (bool, error) {
	if !w.options.IsSelective() {
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

// trackRecord updates the delivered records by an event that is about to be emitted.
func (w *watcher) trackRecord(event ports.RuntimeEvent) {
	switch {
	case w.delivered == nil:
	case event.Type == ports.EventResync:
		clear(w.delivered)
	case event.GameID == "" || event.Type == "":
	case event.After != nil && w.options.Matches(*event.After):
		record := event.After.Clone()
		w.delivered[event.GameID] = &record
	default:
		delete(w.delivered, event.GameID)
	}
}

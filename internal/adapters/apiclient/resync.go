package apiclient

import (
	"slices"

	"galaxy/rtmanager/internal/ports"
)

// withVanished returns what is pending. Where that is a snapshot which replaces
// an earlier one, the games that the consumer was told of and that are not in
// it come as deleted, before synced. The server cannot know them: to it, the
// connection after a broken one is a new stream.
func (w *watcher) withVanished(revision int64) []pendingItem {
	synced := slices.IndexFunc(w.pending, func(p pendingItem) bool { return p.event.Type == ports.EventSynced })
	if w.told == nil || synced < 0 {
		return w.pending
	}
	var items []pendingItem
	if w.resyncs {
		items = append(items, pendingItem{event: ports.RuntimeEvent{Type: ports.EventResync, Revision: revision}})
		w.resyncs = false
	}
	items = append(items, w.pending[:synced]...)
	named := map[string]bool{}
	for _, item := range w.pending[:synced] {
		named[item.event.GameID] = true
	}
	for _, gameID := range w.toldIDs() {
		if !named[gameID] {
			items = append(items, pendingItem{event: ports.RuntimeEvent{
				Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: w.told[gameID],
			}})
		}
	}
	return append(items, w.pending[synced:]...)
}

func (w *watcher) toldIDs() []string {
	ids := make([]string, 0, len(w.told))
	for id := range w.told {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// remember keeps account of what the consumer holds.
func (w *watcher) remember(event ports.RuntimeEvent) {
	switch {
	case w.told == nil || event.GameID == "" || event.Type == "":
	case event.After != nil && w.options.Matches(*event.After):
		record := event.After.Clone()
		w.told[event.GameID] = &record
	default:
		delete(w.told, event.GameID)
	}
}

package httpclient

import (
	"context"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// handleEvent adds one event of the stream to the pending items, and emits them all
// after the last event of their revision. An error ends the connection.
func (w *watcher) handleEvent(ctx context.Context, e api.Event) error {
	event := e.RuntimeEvent()
	switch {
	case e.Type == api.TypeError && (e.Final == nil || *e.Final):
		return toDomainError(e.Error)
	case event.Type == ports.EventBookmark && event.Revision <= w.position:
		w.backoff.Reset()
		return nil // it only shows that the server is alive
	case w.isDuplicate(e):
		return nil
	case e.Type == api.TypeError:
		return w.handleCorrupt(pendingItem{
			event: ports.RuntimeEvent{Revision: e.Revision, GameID: e.GameID}, game: w.gameEvent(), err: toDomainError(e.Error),
		})
	case event.Type == ports.EventResync:
		w.pending = nil // the snapshot that follows contains them
	}
	w.pending = append(w.pending, pendingItem{event: event, game: w.gameEvent()})
	if !event.Last {
		return nil
	}
	return w.emit(ctx, event.Revision)
}

// isDuplicate reports whether the event belongs to a revision that was emitted. After a
// resync no event is a duplicate, because revisions may be lower than before.
func (w *watcher) isDuplicate(e api.Event) bool {
	isChange := e.GameID != "" || e.Type == api.TypeError && e.Revision != 0
	return isChange && e.Revision <= w.position && !w.isResyncPending()
}

// isResyncPending reports whether the pending items are a snapshot after a resync.
func (w *watcher) isResyncPending() bool {
	return len(w.pending) > 0 && w.pending[0].event.Type == ports.EventResync
}

// handleCorrupt reports a corrupt value. It does so at once if no item is pending, since
// possibly no other event of the revision follows. The position does not change, so the
// next connection sends the value a second time, which is then not reported.
func (w *watcher) handleCorrupt(item pendingItem) error {
	if w.position == 0 || len(w.pending) > 0 {
		w.pending = append(w.pending, item)
		return nil
	}
	report := corruptReport{item.event.Revision, item.err.Error()}
	if w.reportedCorrupt[report] {
		return nil
	}
	w.reportedCorrupt[report] = true
	if !w.deliver(item) {
		return errConsumerStopped
	}
	return nil
}

// emit yields the pending items, which end at the revision, and advances the position.
func (w *watcher) emit(ctx context.Context, revision int64) error {
	items, err := w.withDeletedGames(ctx, revision)
	if err != nil {
		return err
	}
	for _, item := range items {
		w.trackRecord(item.event)
		if !w.deliver(item) {
			return errConsumerStopped
		}
	}
	w.position, w.pending, w.malformedStreams = revision, nil, 0
	clear(w.reportedCorrupt)
	w.backoff.Reset()
	return nil
}

// gameEvent returns the element that the connection has read last, of a stream of events of games.
func (w *watcher) gameEvent() api.GameEvent {
	if w.yieldGame == nil {
		return api.GameEvent{}
	}
	return w.events.game
}

package httpclient

import (
	"context"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// take adds one element of the stream to what is pending, and hands all of it
// on when it is whole. An error ends the connection.
func (w *watcher) take(ctx context.Context, e api.Event) error {
	event := e.RuntimeEvent()
	switch {
	case e.Type == api.TypeError && (e.Final == nil || *e.Final):
		return errorFrom(e.Error)
	case event.Type == ports.EventBookmark && event.Revision <= w.position:
		w.pause.Reset()
		return nil // a sign of life
	case w.heardBefore(e):
		return nil
	case e.Type == api.TypeError:
		return w.takeDamage(pendingItem{
			event: ports.RuntimeEvent{Revision: e.Revision, GameID: e.GameID}, err: errorFrom(e.Error),
		})
	case event.Type == ports.EventResync:
		w.pending = nil // what it held is in the snapshot, whole
	}
	w.pending = append(w.pending, pendingItem{event: event})
	if !event.Last {
		return nil
	}
	return w.handOn(ctx, event.Revision)
}

// heardBefore reports that the element is of a revision that was handed on.
// After a resync there is none: revisions may have gone back.
func (w *watcher) heardBefore(e api.Event) bool {
	ofAChange := e.GameID != "" || e.Type == api.TypeError && e.Revision != 0
	return ofAChange && e.Revision <= w.position && !w.resyncing()
}

// resyncing reports that what is pending is a snapshot that a resync announced.
func (w *watcher) resyncing() bool {
	return len(w.pending) > 0 && w.pending[0].event.Type == ports.EventResync
}

// takeDamage reports a value that cannot be read: at once where nothing waits
// before it, since no other event of its revision need follow. The position
// stays, so the next connection tells of it again, and the consumer is not told.
func (w *watcher) takeDamage(item pendingItem) error {
	if w.position == 0 || len(w.pending) > 0 {
		w.pending = append(w.pending, item)
		return nil
	}
	report := damage{item.event.Revision, item.err.Error()}
	if w.damage[report] {
		return nil
	}
	w.damage[report] = true
	if !w.yield(item.event, item.err) {
		return errStopped
	}
	return nil
}

// handOn yields what is pending, which ends at the revision.
func (w *watcher) handOn(ctx context.Context, revision int64) error {
	items, err := w.withVanished(ctx, revision)
	if err != nil {
		return err
	}
	for _, item := range items {
		w.remember(item.event)
		if !w.yield(item.event, item.err) {
			return errStopped
		}
	}
	w.position, w.pending, w.garbled = revision, nil, 0
	clear(w.damage)
	w.pause.Reset()
	return nil
}

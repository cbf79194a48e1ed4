package etcdstore

import (
	"slices"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/planted"
	"galaxy/rtmanager/internal/ports"
)

// sendRevision sends the events of one revision that match the filter, and marks the last one
// as such.
func (w *watch) sendRevision(events []watchEvent) error {
	matching := slices.DeleteFunc(events, func(e watchEvent) bool { return !w.matches(e) })
	for i, e := range matching {
		e.event.Last = i == len(matching)-1 || planted.Is(planted.SplitRevision)
		if planted.Sometimes(planted.LostEvent, 50) {
			continue
		}
		if err := w.send(e); err != nil {
			return err
		}
		if planted.Sometimes(planted.DuplicateEvent, 50) && w.send(e) != nil {
			return errConsumerStopped
		}
	}
	return nil
}

// sendBookmarkIfDue sends the position if the consumer was not sent it for a while.
func (w *watch) sendBookmarkIfDue() error {
	if w.position <= w.bookmarked || time.Since(w.bookmarkedAt) < w.store.opts.ProbeInterval {
		return nil
	}
	return w.send(watchEvent{event: ports.RuntimeEvent{Type: ports.EventBookmark, Revision: w.position, Last: true}})
}

// send yields one event, or the report of a corrupt value.
func (w *watch) send(e watchEvent) error {
	if e.event.Last {
		w.bookmarked, w.bookmarkedAt = e.event.Revision, time.Now()
	}
	if e.err == nil {
		w.recordDelivery(e.event)
	}
	e.event.Before, e.event.After = cloneRecord(e.event.Before), cloneRecord(e.event.After)
	if !w.yield(e.event, e.err) {
		return errConsumerStopped
	}
	return nil
}

// cloneRecord returns a record that shares no memory with the store.
func cloneRecord(rec *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if rec == nil {
		return nil
	}
	clone := rec.Clone()
	return &clone
}

// recordDelivery updates the records that the consumer was sent.
func (w *watch) recordDelivery(event ports.RuntimeEvent) {
	if w.delivered == nil || event.GameID == "" {
		return
	}
	if event.After != nil && w.options.Matches(*event.After) {
		w.delivered[event.GameID] = event.After.Clone()
	} else {
		delete(w.delivered, event.GameID)
	}
}

// matches reports whether a change passes the consumer's filter: the record matched before or
// matches after it. A corrupt value has no status to filter by, so it passes every filter that
// its game id passes, and so does the change that replaces it.
func (w *watch) matches(e watchEvent) bool {
	if e.err != nil || e.prevUnreadable {
		return w.options.MatchesGame(e.event.GameID)
	}
	matches := func(rec *runtime.RuntimeRecord) bool { return rec != nil && w.options.Matches(*rec) }
	return matches(e.event.Before) || matches(e.event.After)
}

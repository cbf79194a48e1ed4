package etcdstore

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/recordcache"
)

// epoch returns the event log's epoch, 0 without a log.
func (s *Store) epoch() int64 {
	if s.reflector == nil {
		return 0
	}
	return s.reflector.eventLog.Epoch()
}

// eventLogCovers reports whether the event log can serve a stream that has reached the
// revision in the epoch.
func (s *Store) eventLogCovers(epoch, revision int64) bool {
	return s.reflector != nil && s.reflector.eventLog.Covers(epoch, revision)
}

// waitForEventLog waits until the event log has reached the revision of a stream, if it is
// about to. Otherwise a stream that resumes from a recent write would need an etcd watch of
// its own.
func (s *Store) waitForEventLog(ctx context.Context, epoch, revision int64) {
	if s.reflector != nil && s.reflector.eventLog.Epoch() == epoch {
		s.reflector.waitUntilFresh(ctx, revision)
	}
}

// followEventLog delivers the changes of the event log until it does not cover the position
// any more.
func (w *watch) followEventLog(ctx context.Context) error {
	log := w.store.reflector.eventLog
	buffer := make([]recordcache.Change, 0, recordcache.ReadBatchSize)
	for {
		changes, position, changed, isCovered := log.Read(w.epoch, w.position, buffer)
		if !isCovered {
			return errSwitchSource
		}
		if err := w.deliverChanges(changes); err != nil {
			return err
		}
		clear(changes) // or an idle stream would keep the records of an old burst
		w.position = position
		if err := w.sendBookmarkIfDue(); err != nil {
			return err
		}
		if err := w.waitForChange(ctx, changed); err != nil {
			return err
		}
	}
}

// deliverChanges delivers whole revisions of changes and moves the position after each.
func (w *watch) deliverChanges(changes []recordcache.Change) error {
	for revision, changes := range byRevision(changes, func(c recordcache.Change) int64 { return c.Revision }) {
		events := make([]watchEvent, len(changes))
		for i, c := range changes {
			events[i] = eventOfChange(c)
		}
		if err := w.sendRevision(events); err != nil {
			return err
		}
		w.position = revision
	}
	return nil
}

// waitForChange waits until changed closes or a bookmark is due. It does not wait if changed
// is nil.
func (w *watch) waitForChange(ctx context.Context, changed <-chan struct{}) error {
	if changed == nil {
		return context.Cause(ctx)
	}
	var bookmarkDue <-chan time.Time
	if w.position > w.bookmarked {
		timer := time.NewTimer(w.store.opts.ProbeInterval - time.Since(w.bookmarkedAt))
		defer timer.Stop()
		bookmarkDue = timer.C
	}
	select {
	case <-changed:
		return nil
	case <-bookmarkDue:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

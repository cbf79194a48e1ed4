package etcdstore

import (
	"context"
	"time"
)

// era is the hub's epoch, 0 without a hub.
func (s *Store) era() int64 {
	if s.feed == nil {
		return 0
	}
	return s.feed.hub.era()
}

// hubCovers reports whether the hub can serve a stream that has come to the
// revision in the epoch.
func (s *Store) hubCovers(epoch, revision int64) bool {
	return s.feed != nil && s.feed.hub.covers(epoch, revision)
}

// awaitHub lets the hub come up to the revision of a stream, if it is about to: who
// resumes from what has just been written would else need a watch of etcd's own.
func (s *Store) awaitHub(ctx context.Context, epoch, revision int64) {
	if s.feed != nil && s.feed.hub.era() == epoch {
		s.feed.reach(ctx, revision)
	}
}

// followHub delivers what the hub has, and then what comes, until the hub cannot
// serve the position any more.
func (w *watch) followHub(ctx context.Context) error {
	hub := w.store.feed.hub
	space := make([]recordChange, 0, takenAtOnce)
	for {
		changes, position, moved, covered := hub.take(w.epoch, w.position, space)
		if !covered {
			return errElsewhere
		}
		if err := w.deliverChanges(changes); err != nil {
			return err
		}
		clear(changes) // or an idle stream would keep the records of an old burst
		w.position = position
		if err := w.bookmarkIfDue(); err != nil {
			return err
		}
		if err := w.await(ctx, moved); err != nil {
			return err
		}
	}
}

// deliverChanges hands on whole revisions of changes, as far as they pass the
// filter.
func (w *watch) deliverChanges(changes []recordChange) error {
	for revision, together := range byRevision(changes, func(c recordChange) int64 { return c.revision }) {
		tale := make([]told, len(together))
		for i, c := range together {
			tale[i] = c.tell()
		}
		if err := w.sendRevision(tale); err != nil {
			return err
		}
		w.position = revision
	}
	return nil
}

// await waits for the hub to move, or for a bookmark to fall due: nil where
// nothing need be waited for.
func (w *watch) await(ctx context.Context, moved <-chan struct{}) error {
	if moved == nil {
		return context.Cause(ctx)
	}
	var due <-chan time.Time
	if w.position > w.bookmarked {
		timer := time.NewTimer(w.store.opts.ProbeInterval - time.Since(w.bookmarkedAt))
		defer timer.Stop()
		due = timer.C
	}
	select {
	case <-moved:
		return nil
	case <-due:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

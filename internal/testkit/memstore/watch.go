package memstore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Watch implements ports.RuntimeWatcher. It runs on the caller's goroutine. It yields a
// bookmark when the consumer has caught up and the last changes did not match the
// filters. A slow consumer gets runtime.ErrCompacted if changes are compacted before it
// reads them.
func (s *Store) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		w := &watcher{
			store:     s,
			options:   options,
			delivered: map[string]*runtime.RuntimeRecord{},
			yield:     func(event ports.RuntimeEvent) bool { return yield(event, nil) },
		}
		if err := w.run(ctx); !errors.Is(err, errConsumerStopped) {
			yield(ports.RuntimeEvent{}, err)
		}
	}
}

// errConsumerStopped reports that the consumer has left its loop, so nothing more may be
// yielded.
var errConsumerStopped = errors.New("consumer stopped iterating")

// watcher is the state of one stream.
type watcher struct {
	store          *Store
	options        ports.WatchOptions
	position       int64 // every change up to this revision has been delivered or skipped
	resumeRevision int64 // the last revision that the consumer can resume from
	// delivered holds the matching records as the consumer has them, by game id. A resync
	// delivers a deletion for those that no longer exist.
	delivered map[string]*runtime.RuntimeRecord
	yield     func(ports.RuntimeEvent) bool
}

// run delivers events until the stream ends, and returns the reason.
func (w *watcher) run(ctx context.Context) error {
	if err := w.options.Validate(); err != nil {
		return err
	}
	if w.options.Store != "" && w.options.Store != w.store.id && w.options.Resync {
		if err := w.resync(ctx, ports.ResyncOtherStore, w.store.currentRevision()); err != nil {
			return err
		}
		return w.follow(ctx)
	}
	if w.options.Store != "" && w.options.Store != w.store.id {
		return fmt.Errorf("watch for store %s on store %s: %w", w.options.Store, w.store.id, runtime.ErrForeignRevision)
	}
	if w.options.FromRevision == 0 {
		if err := w.deliverSnapshot(ctx); err != nil {
			return err
		}
	} else {
		w.position, w.resumeRevision = w.options.FromRevision, w.options.FromRevision
	}
	return w.follow(ctx)
}

func (w *watcher) follow(ctx context.Context) error {
	for {
		if err := w.deliverNext(ctx); err != nil {
			return err
		}
	}
}

// deliverNext delivers the changes above the position, or waits for the next change.
func (w *watcher) deliverNext(ctx context.Context) error {
	changed := w.store.changed.Changed()
	changes, err := w.store.changesAfter(w.position)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, runtime.ErrCompacted) && w.options.Resync:
		return w.resync(ctx, ports.ResyncCompacted, w.position)
	case errors.Is(err, runtime.ErrForeignRevision) && w.options.Resync:
		return w.resync(ctx, ports.ResyncFutureRevision, w.store.currentRevision())
	case err != nil:
		return err
	case len(changes) > 0:
		return w.deliverChanges(ctx, changes)
	case w.resumeRevision < w.position:
		return w.emit(ctx, ports.RuntimeEvent{Type: ports.EventBookmark, Revision: w.position, Last: true})
	}
	select {
	case <-changed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watcher) deliverChanges(ctx context.Context, changes []change) error {
	for _, c := range changes {
		if matchesRecord(w.options, c.before) || matchesRecord(w.options, c.after) {
			w.recordDelivered(c.gameID, c.after)
			err := w.emit(ctx, ports.RuntimeEvent{
				Type: c.kind, Revision: c.revision, GameID: c.gameID,
				Before: cloneRecord(c.before), After: cloneRecord(c.after), Last: true,
			})
			if err != nil {
				return err
			}
		}
		w.position = c.revision
	}
	return nil
}

func (w *watcher) resync(ctx context.Context, reason ports.ResyncReason, revision int64) error {
	if err := w.emit(ctx, ports.RuntimeEvent{Type: ports.EventResync, Revision: revision, Reason: reason}); err != nil {
		return err
	}
	return w.deliverSnapshot(ctx)
}

// deliverSnapshot delivers the deletions that the consumer has missed, every current
// record that matches, and synced.
func (w *watcher) deliverSnapshot(ctx context.Context) error {
	present, revision := w.store.snapshotRecords()
	if err := w.deliverDeleted(ctx, present, revision); err != nil {
		return err
	}
	for _, v := range present {
		if !matchesRecord(w.options, v.record) {
			continue
		}
		w.recordDelivered(v.record.GameID, v.record)
		event := ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: revision, GameID: v.record.GameID, After: cloneRecord(v.record)}
		if err := w.emit(ctx, event); err != nil {
			return err
		}
	}
	w.position = revision
	return w.emit(ctx, ports.RuntimeEvent{Type: ports.EventSynced, Revision: revision, Last: true})
}

// deliverDeleted delivers a deletion for each delivered game without a current record,
// and clears the delivered games.
func (w *watcher) deliverDeleted(ctx context.Context, present []*recordVersion, revision int64) error {
	delivered := w.delivered
	w.delivered = map[string]*runtime.RuntimeRecord{}
	for _, v := range present {
		delete(delivered, v.record.GameID)
	}
	for _, gameID := range slices.Sorted(maps.Keys(delivered)) {
		event := ports.RuntimeEvent{Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: cloneRecord(delivered[gameID])}
		if err := w.emit(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

// recordDelivered stores the record of the game as the consumer now has it.
func (w *watcher) recordDelivered(gameID string, record *runtime.RuntimeRecord) {
	if matchesRecord(w.options, record) {
		w.delivered[gameID] = record
	} else {
		delete(w.delivered, gameID)
	}
}

// emit yields one event to the consumer. It returns an error if ctx or the loop has ended.
func (w *watcher) emit(ctx context.Context, event ports.RuntimeEvent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.yield(event) {
		return errConsumerStopped
	}
	if event.Last {
		w.resumeRevision = event.Revision
	}
	return nil
}

// changesAfter returns the changes above the revision, or the error of checkRevision.
func (s *Store) changesAfter(revision int64) ([]change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.checkRevision(revision); err != nil {
		return nil, err
	}
	first, _ := slices.BinarySearchFunc(s.log, revision+1, func(c change, revision int64) int {
		return cmp.Compare(c.revision, revision)
	})
	// clipped and never modified, so the caller may read it without mu
	return slices.Clip(s.log[first:]), nil
}

func (s *Store) currentRevision() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revision
}

// snapshotRecords returns every current record and the revision.
func (s *Store) snapshotRecords() ([]*recordVersion, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.matchingVersions(ports.WatchOptions{}, s.revision, ""), s.revision
}

func cloneRecord(record *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if record == nil {
		return nil
	}
	c := record.Clone()
	return &c
}

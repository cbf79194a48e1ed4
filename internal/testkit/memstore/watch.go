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

// Watch streams the changes; see ports.RuntimeWatcher. It runs on the caller's
// goroutine alone. A bookmark comes whenever the consumer has caught up and the
// latest changes were none that it wants. Changes that are compacted before a
// slow consumer reads them end its stream with runtime.ErrCompacted.
func (s *Store) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		w := &watch{
			store:   s,
			options: options,
			told:    map[string]*runtime.RuntimeRecord{},
			send:    func(event ports.RuntimeEvent) bool { return yield(event, nil) },
		}
		if err := w.run(ctx); !errors.Is(err, errStopped) {
			yield(ports.RuntimeEvent{}, err)
		}
	}
}

// errStopped: the consumer has left the loop, and nothing may be yielded to it.
var errStopped = errors.New("consumer stopped ranging")

// watch is the state of one stream.
type watch struct {
	store    *Store
	options  ports.WatchOptions
	position int64 // everything up to this revision has been looked at
	sent     int64 // the last revision that the consumer may resume from
	// told holds the games that the consumer believes to match, as it last saw
	// them: those are the ones to report as deleted after a resync
	told map[string]*runtime.RuntimeRecord
	send func(ports.RuntimeEvent) bool
}

// run delivers until something ends the stream and returns what did.
func (w *watch) run(ctx context.Context) error {
	if err := w.options.Validate(); err != nil {
		return err
	}
	if w.options.Store != "" && w.options.Store != w.store.id {
		return fmt.Errorf("watch for store %s on store %s: %w", w.options.Store, w.store.id, runtime.ErrForeignRevision)
	}
	if w.options.FromRevision == 0 {
		if err := w.snapshot(ctx); err != nil {
			return err
		}
	} else {
		w.position, w.sent = w.options.FromRevision, w.options.FromRevision
	}
	for {
		if err := w.step(ctx); err != nil {
			return err
		}
	}
}

// step delivers the changes above the position, or waits until there are some.
func (w *watch) step(ctx context.Context) error {
	changes, moved, err := w.store.since(w.position)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, runtime.ErrCompacted) && w.options.Resync:
		return w.resync(ctx)
	case err != nil:
		return err
	case len(changes) > 0:
		return w.deliver(ctx, changes)
	case w.sent < w.position:
		return w.emit(ctx, ports.RuntimeEvent{Type: ports.EventBookmark, Revision: w.position, Last: true})
	}
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *watch) deliver(ctx context.Context, changes []change) error {
	for _, c := range changes {
		if matches(w.options, c.before) || matches(w.options, c.after) {
			w.remember(c.gameID, c.after)
			err := w.emit(ctx, ports.RuntimeEvent{
				Type: c.kind, Revision: c.revision, GameID: c.gameID,
				Before: export(c.before), After: export(c.after), Last: true,
			})
			if err != nil {
				return err
			}
		}
		w.position = c.revision
	}
	return nil
}

func (w *watch) resync(ctx context.Context) error {
	if err := w.emit(ctx, ports.RuntimeEvent{Type: ports.EventResync, Revision: w.position}); err != nil {
		return err
	}
	return w.snapshot(ctx)
}

// snapshot delivers every record that matches as of now, the games that have
// vanished since the consumer heard of them, and synced.
func (w *watch) snapshot(ctx context.Context) error {
	present, revision := w.store.snapshot()
	if err := w.vanished(ctx, present, revision); err != nil {
		return err
	}
	for _, v := range present {
		if !matches(w.options, v.record) {
			continue
		}
		w.remember(v.record.GameID, v.record)
		event := ports.RuntimeEvent{Type: ports.EventSnapshot, Revision: revision, GameID: v.record.GameID, After: export(v.record)}
		if err := w.emit(ctx, event); err != nil {
			return err
		}
	}
	w.position = revision
	return w.emit(ctx, ports.RuntimeEvent{Type: ports.EventSynced, Revision: revision, Last: true})
}

// vanished reports the games that the consumer still believes in and that are
// not among the present ones, and forgets what the consumer believed.
func (w *watch) vanished(ctx context.Context, present []*version, revision int64) error {
	told := w.told
	w.told = map[string]*runtime.RuntimeRecord{}
	for _, v := range present {
		delete(told, v.record.GameID)
	}
	for _, gameID := range slices.Sorted(maps.Keys(told)) {
		event := ports.RuntimeEvent{Type: ports.EventDeleted, Revision: revision, GameID: gameID, Before: export(told[gameID])}
		if err := w.emit(ctx, event); err != nil {
			return err
		}
	}
	return nil
}

// remember notes what the consumer now believes of the game.
func (w *watch) remember(gameID string, record *runtime.RuntimeRecord) {
	if matches(w.options, record) {
		w.told[gameID] = record
	} else {
		delete(w.told, gameID)
	}
}

// emit hands one event to the consumer, unless ctx has ended.
func (w *watch) emit(ctx context.Context, event ports.RuntimeEvent) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.send(event) {
		return errStopped
	}
	if event.Last {
		w.sent = event.Revision
	}
	return nil
}

// since returns the changes above the revision, and a channel that is closed at
// the next one. A revision that is not the store's is an error.
func (s *Store) since(revision int64) ([]change, <-chan struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.remembers(revision); err != nil {
		return nil, nil, err
	}
	first, _ := slices.BinarySearchFunc(s.log, revision+1, func(c change, revision int64) int {
		return cmp.Compare(c.revision, revision)
	})
	// clipped, and elements never change: the caller may read it without the lock
	return slices.Clip(s.log[first:]), s.changed, nil
}

// snapshot returns every record and the revision that they stand at.
func (s *Store) snapshot() ([]*version, int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.matching(ports.WatchOptions{}, s.revision, ""), s.revision
}

func export(record *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if record == nil {
		return nil
	}
	c := record.Clone()
	return &c
}

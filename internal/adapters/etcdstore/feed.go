package etcdstore

import (
	"context"
	"errors"
	"sync"

	"go.etcd.io/etcd/api/v3/mvccpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
)

// feed keeps cache and hub in step with etcd by one watch, for as long as the
// store is open: it fills the cache, follows every change, and begins anew where
// the thread is lost.
type feed struct {
	store *Store
	cache *cache
	hub   *hub
	local mark

	revival  revival
	position int64 // what cache and hub have been told up to

	mu         sync.Mutex
	up         *upstream // the present one, for nudge
	nudged     int64     // the revision that the last nudge was for
	trouble    error     // what keeps the cache from being filled or followed, if anything
	distrusted error     // why the cache has to be filled anew; nil for not

	done, compared chan struct{} // closed when run and compareForever have returned
}

func newFeed(s *Store) *feed {
	return &feed{store: s, cache: newCache(), hub: newHub(), revival: newRevival(s), done: make(chan struct{}), compared: make(chan struct{})}
}

// run feeds until ctx ends.
func (f *feed) run(ctx context.Context) {
	defer close(f.done)
	err := f.fill(ctx)
	for ctx.Err() == nil {
		if err == nil {
			err = f.follow(ctx)
		}
		if why := f.takeDistrust(); why != nil && !errors.Is(err, runtime.ErrForeignRevision) {
			err = why
		}
		switch {
		case ctx.Err() != nil:
		case errors.Is(err, errBehind):
			err = nil
		case errors.Is(err, errBroken), errors.Is(err, runtime.ErrUnavailable):
			err = f.heal(ctx, err)
		default:
			err = f.restart(ctx, err)
		}
	}
	f.hub.interrupt(false)
	f.cache.forget()
}

// fill reads every record at one revision. The next page is read while the last
// one is taken in: with many records both take long.
func (f *feed) fill(ctx context.Context) error {
	s := f.store
	pages := make(chan []*mvccpb.KeyValue)
	var revision int64
	var err error
	var reading sync.WaitGroup
	reading.Go(func() {
		defer close(pages)
		family := s.keys.Records()
		revision, err = s.scan(ctx, family, family, 0, func(_ int64, kvs []*mvccpb.KeyValue) (bool, error) {
			pages <- kvs
			return true, nil
		})
	})
	records := newTrees(0)
	for kvs := range pages {
		newEntries(s.keys, kvs, func(e *entry) { records.set(e) })
	}
	reading.Wait()
	if err != nil {
		return err
	}
	records.revision = revision
	if revision < f.position {
		f.hub.interrupt(true) // etcd has gone back, whatever the fill was for
	}
	f.position = revision
	f.hub.begin(revision)
	f.cache.fill(records)
	f.mu.Lock()
	f.trouble = nil
	f.mu.Unlock()
	return nil
}

// follow takes in every change behind the position until its upstream is over.
func (f *feed) follow(ctx context.Context) error {
	up := f.store.openUpstream(ctx, f.position, false)
	defer up.close()
	defer f.setUpstream(nil)
	f.setUpstream(up)
	up.silence = f.revival.silence
	for {
		resp, err := up.next(ctx, f.position)
		if err != nil {
			return err
		}
		f.revival.heard(up, len(resp.Events))
		if news := f.take(resp); !news && !up.asked {
			f.cache.setHealthy(true)
		}
	}
}

// take hands a response to cache and hub, and reports whether it had anything new
// for them; if so, the cache is healthy by that.
func (f *feed) take(resp clientv3.WatchResponse) (news bool) {
	events := resp.Events
	for len(events) > 0 && events[0].Kv.GetModRevision() <= f.position {
		events = events[1:] // heard before the upstream was opened again
	}
	position := f.position
	if len(events) > 0 {
		position = events[len(events)-1].Kv.GetModRevision()
	} else if resp.IsProgressNotify() {
		position = max(position, resp.Header.GetRevision())
	}
	if position == f.position {
		return false
	}
	f.cache.apply(f.store.keys, events, position, f.hub.publish)
	f.position = position
	return true
}

// heal waits a little before a broken upstream is opened again. Whether there is
// still the same store to open it on, etcd has to say.
func (f *feed) heal(ctx context.Context, broken error) error {
	f.cache.setHealthy(false)
	f.complain(broken)
	if !f.revival.wait(ctx, f.position, broken) {
		return ctx.Err()
	}
	if filled, _ := f.cache.isFilled(); !filled {
		return f.fill(ctx)
	}
	_, err := f.store.standing(ctx, f.position)
	return err
}

// restart begins anew after an error that no other upstream would mend: history
// that is compacted or not the same any more, a permission withdrawn. Nobody is
// served from what was known before, but each may find out for itself.
func (f *feed) restart(ctx context.Context, why error) error {
	f.cache.forget() // first: who starts from it now must not be taken for one of the new era
	foreign := errors.Is(why, runtime.ErrForeignRevision) || errors.Is(why, runtime.ErrIncompatible)
	f.hub.interrupt(foreign)
	if foreign {
		f.local.revision.Store(0) // it was of another history
	}
	f.complain(why)
	if !f.revival.wait(ctx, f.position, why) {
		return ctx.Err()
	}
	return f.fill(ctx)
}

// complain says why there is no cache, once for each reason: it may go on for
// long, and a watch that breaks while the cache is filled says so itself.
func (f *feed) complain(why error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	filled, _ := f.cache.isFilled()
	if !filled && (f.trouble == nil || f.trouble.Error() != why.Error()) {
		f.store.log.Warn("the records cannot be read into the cache; reads go to etcd meanwhile", "error", why)
	}
	f.trouble = why
}

// troubled returns why the cache is of no use at present, as far as is known.
func (f *feed) troubled() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.trouble
}

func (f *feed) setUpstream(up *upstream) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.up, f.nudged = up, 0
	if up != nil && f.distrusted != nil {
		up.cancel() // distrusted while there was none to be cancelled
	}
}

// reach waits for the cache to come to the revision and reports whether it has.
func (f *feed) reach(ctx context.Context, revision int64) bool {
	return f.cache.waitFor(ctx, revision, func() { f.nudge(revision) })
}

// nudge asks etcd how far the watch has come, once for each revision that a
// reader waits for.
func (f *feed) nudge(revision int64) {
	f.mu.Lock()
	up, due := f.up, revision > f.nudged
	f.nudged = max(f.nudged, revision)
	f.mu.Unlock()
	if up != nil && due {
		select {
		case up.nudges <- struct{}{}:
		default: // it will be asked anyway
		}
	}
}

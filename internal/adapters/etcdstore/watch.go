package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Watch implements ports.RuntimeWatcher. Events are derived from the records
// alone: index and ledger are never watched beside them, since two watches are
// delivered in any order.
func (s *Store) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		if err := options.Validate(); err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		ctx, done, err := s.begin(ctx)
		if err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		defer done()
		w := &watch{store: s, options: options, yield: yield, position: options.FromRevision, revival: newRevival(s)}
		if err := w.run(ctx); err != nil && !errors.Is(err, errConsumerLeft) {
			yield(ports.RuntimeEvent{}, fmt.Errorf("watch: %w", err))
		}
	}
}

// errConsumerLeft unwinds a watch whose consumer has stopped ranging.
var errConsumerLeft = errors.New("the consumer has left")

// watch is one consumer's stream. All of it runs in the consumer's loop but for
// the goroutine of the upstream.
type watch struct {
	store   *Store
	options ports.WatchOptions
	yield   func(ports.RuntimeEvent, error) bool
	// position is the last revision that has been delivered in full.
	position int64
	// bookmarked is the last position that the consumer was told of, and
	// bookmarkedAt when; bookmarks keep ProbeInterval apart from it.
	bookmarked   int64
	bookmarkedAt time.Time
	// known holds, for a consumer that cannot stop, the records it was told of
	// and that match its filter, to find out what vanished across a resync.
	known   map[string]runtime.RuntimeRecord
	revival revival
	// epoch is the hub's at the time that the position was of.
	epoch int64
	// adrift tells that a resync has begun and not come to its end, so that the
	// position means nothing any more.
	adrift bool
}

func (w *watch) run(ctx context.Context) error {
	if w.options.Resync {
		w.known = map[string]runtime.RuntimeRecord{}
	}
	w.epoch = w.store.era()
	err := w.start(ctx)
	if errors.Is(err, runtime.ErrForeignRevision) || errors.Is(err, runtime.ErrUnavailable) {
		return err // once the stream has begun, the first may be resynced and the second is healed
	}
	for {
		if err == nil {
			err = w.follow(ctx)
		}
		switch {
		case errors.Is(err, errConsumerLeft):
			return err
		case ctx.Err() != nil:
			return etcd.Unavailable(ctx, err)
		case errors.Is(err, errBehind), errors.Is(err, errElsewhere):
			err = nil
		case errors.Is(err, errBroken), errors.Is(err, runtime.ErrUnavailable):
			err = w.heal(ctx, err)
		case w.options.Resync && (errors.Is(err, runtime.ErrCompacted) || errors.Is(err, runtime.ErrForeignRevision)):
			err = w.resync(ctx)
		default:
			return err
		}
	}
}

// heal waits a little before a broken upstream is opened again, and finds out
// whether there is still a store to open it on.
func (w *watch) heal(ctx context.Context, broken error) error {
	if !w.revival.wait(ctx, w.position, broken) {
		return etcd.Unavailable(ctx, broken)
	}
	if w.adrift {
		return w.resync(ctx)
	}
	_, err := w.store.standing(ctx, w.position)
	return err
}

// start opens the stream: with a snapshot, or behind a revision of this store.
func (w *watch) start(ctx context.Context) error {
	if w.options.Store != "" && w.options.Store != w.store.id {
		return fmt.Errorf("%w: it is of store %q and this is %q", runtime.ErrForeignRevision, w.options.Store, w.store.id)
	}
	if w.position == 0 {
		return w.snapshot(ctx)
	}
	head, err := w.store.headFor(ctx)
	if err != nil {
		return err
	}
	if head < w.position {
		return fmt.Errorf("%w: revision %d lies in the future, the store stands at %d", runtime.ErrForeignRevision, w.position, head)
	}
	w.bookmarked = w.position
	if head == w.position {
		return nil
	}
	// Whether what follows is still to be had is for etcd to say, even where the hub
	// has it: what a caller is told must not depend on which store it asked.
	_, err = w.store.etcd.Get(ctx, w.store.keys.Schema(), clientv3.WithKeysOnly(), clientv3.WithRev(w.position+1))
	return err
}

// errElsewhere tells that the changes are to be had from the other source: from
// the hub where it reaches back far enough, and else from etcd.
var errElsewhere = errors.New("the changes come from elsewhere")

// follow delivers every change behind the position until its source is over.
func (w *watch) follow(ctx context.Context) error {
	w.store.awaitHub(ctx, w.epoch, w.position)
	if w.store.hubCovers(w.epoch, w.position) {
		return w.followHub(ctx)
	}
	return w.followEtcd(ctx)
}

// followEtcd delivers what a watch of etcd's own brings, until the hub can.
func (w *watch) followEtcd(ctx context.Context) error {
	w.store.count.replays.Add(1)
	up := w.store.openUpstream(ctx, w.position, true)
	defer up.close()
	up.silence = w.revival.silence
	for {
		resp, err := up.next(ctx, w.position)
		if err != nil {
			return err
		}
		w.revival.heard(up, len(resp.Events))
		if err := w.deliver(ctx, resp); err != nil {
			return err
		}
		if w.store.hubCovers(w.epoch, w.position) {
			return errElsewhere
		}
	}
}

// deliver hands on one response, revision by revision, and moves the position
// behind each. A response of progress moves it to where etcd says that nothing
// more is to come.
func (w *watch) deliver(ctx context.Context, resp clientv3.WatchResponse) error {
	for revision, events := range byRevision(resp.Events, func(e *clientv3.Event) int64 { return e.Kv.GetModRevision() }) {
		if revision <= w.position {
			continue // heard before the upstream was opened again
		}
		if err := w.deliverRevision(ctx, events); err != nil {
			return err
		}
		w.position = revision
	}
	if resp.IsProgressNotify() && resp.Header.GetRevision() > w.position {
		w.position = resp.Header.GetRevision()
	}
	return w.bookmarkIfDue()
}

// byRevision splits changes, which come in order, by the revision they are of.
func byRevision[T any](changes []T, of func(T) int64) iter.Seq2[int64, []T] {
	return func(yield func(int64, []T) bool) {
		for len(changes) > 0 {
			revision := of(changes[0])
			n := slices.IndexFunc(changes, func(c T) bool { return of(c) != revision })
			if n < 0 {
				n = len(changes)
			}
			if !yield(revision, changes[:n]) {
				return
			}
			changes = changes[n:]
		}
	}
}

// deliverRevision hands on what one revision changed, as far as it passes the
// filter; the last event delivered is marked as such.
func (w *watch) deliverRevision(ctx context.Context, events []*clientv3.Event) error {
	tale := make([]told, 0, len(events))
	for _, ev := range events {
		t, err := w.store.tell(ctx, ev)
		if err != nil {
			return err
		}
		tale = append(tale, t)
	}
	return w.sendRevision(tale)
}

// sendRevision sends what one revision changed, as far as it passes the filter.
func (w *watch) sendRevision(tale []told) error {
	pass := slices.DeleteFunc(tale, func(t told) bool { return !w.passes(t) })
	for i, t := range pass {
		t.event.Last = i == len(pass)-1
		if err := w.send(t); err != nil {
			return err
		}
	}
	return nil
}

// bookmarkIfDue tells the consumer that everything up to the position is
// delivered, if it has not heard as much for a while.
func (w *watch) bookmarkIfDue() error {
	if w.position <= w.bookmarked || time.Since(w.bookmarkedAt) < w.store.opts.ProbeInterval {
		return nil
	}
	return w.send(told{event: ports.RuntimeEvent{Type: ports.EventBookmark, Revision: w.position, Last: true}})
}

// send yields one event, or the report of a damaged value.
func (w *watch) send(t told) error {
	if t.event.Last {
		w.bookmarked, w.bookmarkedAt = t.event.Revision, time.Now()
	}
	if t.fault == nil {
		w.remember(t.event)
	}
	t.event.Before, t.event.After = cloned(t.event.Before), cloned(t.event.After)
	if !w.yield(t.event, t.fault) {
		return errConsumerLeft
	}
	return nil
}

// cloned returns a record that shares no memory with the store.
func cloned(rec *runtime.RuntimeRecord) *runtime.RuntimeRecord {
	if rec == nil {
		return nil
	}
	own := rec.Clone()
	return &own
}

// remember keeps known as the consumer has it.
func (w *watch) remember(event ports.RuntimeEvent) {
	if w.known == nil || event.GameID == "" {
		return
	}
	if event.After != nil && w.options.Matches(*event.After) {
		w.known[event.GameID] = event.After.Clone()
	} else {
		delete(w.known, event.GameID)
	}
}

// passes reports whether the consumer's filter lets a change through: the
// record matched before or matches after. A damaged value has no status to
// filter by: whoever watches its game hears of it, and of what replaces it.
func (w *watch) passes(t told) bool {
	if t.fault != nil || t.blind {
		return w.options.GameID == "" || w.options.GameID == t.event.GameID
	}
	matches := func(rec *runtime.RuntimeRecord) bool { return rec != nil && w.options.Matches(*rec) }
	return matches(t.event.Before) || matches(t.event.After)
}

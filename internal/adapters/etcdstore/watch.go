package etcdstore

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore/internal/watchconn"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/etcd"
	"galaxy/rtmanager/internal/ports"
)

// Watch implements ports.RuntimeWatcher. Events are derived from the records alone. Index and
// ledger are not watched, because two watches have no common order.
func (s *Store) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		if err := options.Validate(); err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		ctx, end, err := s.begin(ctx)
		if err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		defer end()
		w := &watch{store: s, options: options, yield: yield, position: options.FromRevision, reconnectState: s.source.NewReconnect()}
		if err := w.run(ctx); err != nil && !errors.Is(err, errConsumerStopped) {
			yield(ports.RuntimeEvent{}, fmt.Errorf("watch: %w", err))
		}
	}
}

var (
	// errConsumerStopped ends a watch whose consumer has stopped iterating.
	errConsumerStopped = errors.New("the consumer has stopped")
	// errSwitchSource means that the changes come from the other source now: from the event log
	// if it covers the position, and else from etcd.
	errSwitchSource = errors.New("the changes come from another source")
)

// watch is one consumer's stream. It runs in the consumer's loop, except for the goroutine of
// its connection.
type watch struct {
	store   *Store
	options ports.WatchOptions
	yield   func(ports.RuntimeEvent, error) bool
	// position is the last revision that has been delivered in full.
	position int64
	// bookmarked is the last position that the consumer was sent, and bookmarkedAt when.
	// Bookmarks follow it after ProbeInterval.
	bookmarked   int64
	bookmarkedAt time.Time
	// delivered has, for a consumer with Resync, the records that it was sent and that match
	// its filter, to find those that are deleted during a resync.
	delivered      map[string]runtime.RuntimeRecord
	reconnectState watchconn.Reconnect
	// epoch is the event log's epoch at the time of the position.
	epoch int64
	// isResyncing means that a resync has started and is not complete, so that the position
	// means nothing.
	isResyncing bool
	// resyncReason is that of the latest resync.
	resyncReason ports.ResyncReason
}

func (w *watch) run(ctx context.Context) error {
	if w.options.Resync {
		w.delivered = map[string]runtime.RuntimeRecord{}
	}
	w.epoch = w.store.epoch()
	err := w.start(ctx)
	if errors.Is(err, runtime.ErrUnavailable) {
		return err // once started, it causes a reconnect
	}
	for {
		if err == nil {
			err = w.follow(ctx)
		}
		switch {
		case errors.Is(err, errConsumerStopped):
			return err
		case ctx.Err() != nil:
			return etcd.UnavailableError(ctx, err)
		case errors.Is(err, watchconn.ErrSlowConsumer), errors.Is(err, errSwitchSource):
			err = nil
		case errors.Is(err, watchconn.ErrBroken), errors.Is(err, runtime.ErrUnavailable):
			err = w.reconnect(ctx, err)
		case w.options.Resync && (errors.Is(err, runtime.ErrCompacted) || errors.Is(err, runtime.ErrForeignRevision)):
			w.resyncReason = w.reasonOf(err)
			err = w.resync(ctx)
		default:
			return err
		}
	}
}

// reasonOf returns the reason of a resync after the error.
func (w *watch) reasonOf(err error) ports.ResyncReason {
	switch {
	case errors.Is(err, runtime.ErrCompacted):
		return ports.ResyncCompacted
	case w.options.Store != "" && w.options.Store != w.store.id:
		return ports.ResyncOtherStore
	default:
		return ports.ResyncFutureRevision
	}
}

// start starts the stream, with a snapshot or after a revision of this store.
func (w *watch) start(ctx context.Context) error {
	if w.options.Store != "" && w.options.Store != w.store.id {
		return fmt.Errorf("%w: it belongs to store %q, and this is %q", runtime.ErrForeignRevision, w.options.Store, w.store.id)
	}
	if w.position == 0 {
		return w.snapshot(ctx)
	}
	revision, err := w.store.currentRevision(ctx)
	if err != nil {
		return err
	}
	if revision < w.position {
		return fmt.Errorf("%w: revision %d is in the future, the store is at %d", runtime.ErrForeignRevision, w.position, revision)
	}
	w.bookmarked = w.position
	if revision == w.position {
		return nil
	}
	// Whether the next changes are compacted is for etcd to decide, even if the event log has
	// them: the result must not depend on which store the caller uses.
	_, err = w.store.etcd.Get(ctx, w.store.keys.Schema(), clientv3.WithKeysOnly(), clientv3.WithRev(w.position+1))
	return err
}

// reconnect waits for the backoff and checks that the store still exists, before a broken
// connection is reopened.
func (w *watch) reconnect(ctx context.Context, failure error) error {
	if !w.reconnectState.Wait(ctx, w.position, failure) {
		return etcd.UnavailableError(ctx, failure)
	}
	if w.isResyncing {
		return w.resync(ctx)
	}
	_, err := w.store.source.CheckRevision(ctx, w.position)
	return err
}

// follow delivers every change after the position until its source ends.
func (w *watch) follow(ctx context.Context) error {
	w.store.waitForEventLog(ctx, w.epoch, w.position)
	if w.store.eventLogCovers(w.epoch, w.position) {
		return w.followEventLog(ctx)
	}
	return w.followEtcd(ctx)
}

// followEtcd delivers the changes of an etcd watch of its own, until the event log covers the
// position.
func (w *watch) followEtcd(ctx context.Context) error {
	w.store.counters.replays.Add(1)
	conn := w.store.source.Open(ctx, w.position, true)
	defer conn.Close()
	w.reconnectState.Apply(conn)
	for {
		resp, err := conn.Next(ctx, w.position)
		if err != nil {
			return err
		}
		w.reconnectState.OnResponse(conn, len(resp.Events))
		if err := w.deliverResponse(ctx, resp); err != nil {
			return err
		}
		if w.store.eventLogCovers(w.epoch, w.position) {
			return errSwitchSource
		}
	}
}

// deliverResponse delivers a response, revision by revision, and moves the position after
// each. A progress notification moves it to the revision up to which nothing else follows.
func (w *watch) deliverResponse(ctx context.Context, resp clientv3.WatchResponse) error {
	for revision, events := range byRevision(resp.Events, func(e *clientv3.Event) int64 { return e.Kv.GetModRevision() }) {
		if revision <= w.position {
			continue // delivered before the connection was reopened
		}
		decoded := make([]watchEvent, 0, len(events))
		for _, ev := range events {
			e, err := w.store.decodeEvent(ctx, ev)
			if err != nil {
				return err
			}
			decoded = append(decoded, e)
		}
		if err := w.sendRevision(decoded); err != nil {
			return err
		}
		w.position = revision
	}
	if resp.IsProgressNotify() && resp.Header.GetRevision() > w.position {
		w.position = resp.Header.GetRevision()
	}
	return w.sendBookmarkIfDue()
}

// byRevision splits ordered changes by their revision.
func byRevision[T any](changes []T, revisionOf func(T) int64) iter.Seq2[int64, []T] {
	return func(yield func(int64, []T) bool) {
		for len(changes) > 0 {
			revision := revisionOf(changes[0])
			n := slices.IndexFunc(changes, func(c T) bool { return revisionOf(c) != revision })
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

package httpclient

import (
	"context"
	"errors"
	"iter"
	"net/http"
	"net/url"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Watch implements ports.RuntimeWatcher. It fails with runtime.ErrUnavailable if the first
// connection fails. Once the watch has started, it reconnects until ctx ends; the consumer
// sees only the delay. A response that does not come from the API ends the watch at any
// time, except a gateway's 429, 502, 503 or 504 after the start. If the server ends the stream
// because the token has expired, the watch continues with the current token.
//
// To resume without gap or duplicate, the client emits all events of one revision, or of
// one snapshot, together. Like List, it keeps a whole snapshot in memory.
//
// Unlike a store of this process, the client ends a watch with runtime.ErrIncompatible
// if the server repeatedly sends a malformed stream.
func (c *Client) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		if err := options.Validate(); err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		w := &watcher{
			client: c, path: "/v1/watch", options: options, position: options.FromRevision, yield: yield,
			backoff: c.newBackoff(), reportedCorrupt: map[corruptReport]bool{},
		}
		if options.Resync {
			w.delivered = map[string]*runtime.RuntimeRecord{}
		}
		if err := w.run(ctx); err != nil {
			yield(ports.RuntimeEvent{}, err)
		}
	}
}

// errConsumerStopped is returned through the call stack when the consumer stops ranging.
var errConsumerStopped = errors.New("consumer stopped")

// watcher is one watch across its connections. One goroutine owns it.
type watcher struct {
	client  *Client
	path    string
	query   url.Values // in addition to that of the options
	options ports.WatchOptions
	yield   func(ports.RuntimeEvent, error) bool
	// yieldGame replaces yield in a stream of events of games.
	yieldGame func(api.GameEvent, error) bool
	events    *eventReader // of the current connection
	backoff   *backoff.ExponentialBackOff

	isStarted        bool
	hasOpened        bool   // the latest connection has become a stream
	malformedStreams int    // consecutive streams that ended with a malformed line
	storeID          string // store that position belongs to; empty if unknown
	position         int64  // latest revision whose events were all emitted
	// pending are the events after position, until the last event of their revision.
	pending []pendingItem
	// reportedCorrupt are the corrupt values after position that were emitted before
	// the other events of their revision.
	reportedCorrupt   map[corruptReport]bool
	replacesDelivered bool // the next snapshot replaces the delivered records
	resyncReason      ports.ResyncReason

	// delivered holds the last record of each game that the consumer has received. It
	// is nil without WatchOptions.Resync, which alone needs it.
	delivered map[string]*runtime.RuntimeRecord
}

type pendingItem struct {
	event ports.RuntimeEvent
	game  api.GameEvent // of a stream of events of games
	err   error
}

// deliver yields the item to the consumer.
func (w *watcher) deliver(item pendingItem) bool {
	if w.yieldGame != nil {
		return w.yieldGame(item.game, item.err)
	}
	return w.yield(item.event, item.err)
}

// corruptReport identifies a report of a corrupt value.
type corruptReport struct {
	revision int64
	text     string
}

// run returns nil if the consumer stopped, and otherwise the error that ended the watch.
func (w *watcher) run(ctx context.Context) error {
	for {
		err := w.runConnection(ctx)
		w.pending = nil
		switch {
		case errors.Is(err, errConsumerStopped):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case w.options.Resync && cannotResume(err) && (w.isStarted || w.position != 0 || w.options.Store != ""):
			w.restartFromSnapshot(err)
		case w.isStarted && w.hasOpened && errors.Is(err, access.ErrUnauthenticated):
			// The token or the client certificate has expired. The next connection has the
			// current one, unless it would be a stream of the same HTTP/2 connection.
			w.client.closeIdleConnections()
		case !w.isStarted || !isConnectionLost(err):
			return w.client.unavailableError(ctx, err)
		}
		if onReconnect := w.client.cfg.OnReconnect; onReconnect != nil {
			onReconnect(err, w.position)
		}
		if wait.For(ctx, w.backoff.NextBackOff()) != nil {
			return ctx.Err()
		}
	}
}

// cannotResume reports whether the store cannot continue from the position: the position
// is compacted or belongs to another store.
func cannotResume(err error) bool {
	return errors.Is(err, runtime.ErrCompacted) || errors.Is(err, runtime.ErrForeignRevision)
}

// isConnectionLost reports whether the connection, the server's own store or the other store is
// unavailable, possibly for a short time only.
func isConnectionLost(err error) bool {
	var statusErr *statusError
	if !errors.As(err, &statusErr) {
		return isUnavailable(err) || errors.Is(err, federation.ErrUnusable)
	}
	switch statusErr.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// errOtherStore is in the error of a server of another store than the watch's.
var errOtherStore = errors.New("the watch is of another store")

// restartFromSnapshot makes the next connection request a snapshot, of any store. err is
// why the store cannot continue from the position.
func (w *watcher) restartFromSnapshot(err error) {
	switch {
	case errors.Is(err, errOtherStore):
		w.resyncReason = ports.ResyncOtherStore
	case errors.Is(err, runtime.ErrCompacted):
		w.resyncReason = ports.ResyncCompacted
	default:
		w.resyncReason = ports.ResyncFutureRevision
	}
	w.position, w.storeID, w.options.Store, w.replacesDelivered = 0, "", "", true
}

package apiclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"iter"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/cenkalti/backoff/v5"

	"galaxy/rtmanager/internal/adapters/restapi/wire"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Watch implements ports.RuntimeWatcher. A server that cannot be reached at
// first is runtime.ErrUnavailable; once a watch has begun, a lost connection is
// made again until ctx ends, and the consumer notices nothing but the delay. An
// answer that is not the API's ends the watch at any time, unless it is a
// gateway's 502, 503 or 504 once the watch has begun.
//
// So that it can resume without gap or duplicate, the client hands on the
// events of one revision, and those of one snapshot, together.
func (c *Client) Watch(ctx context.Context, options ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		if err := options.Validate(); err != nil {
			yield(ports.RuntimeEvent{}, err)
			return
		}
		w := &watcher{client: c, options: options, position: options.FromRevision, yield: yield, pause: c.backoff(), damage: map[damage]bool{}}
		if options.Resync {
			w.told = map[string]*runtime.RuntimeRecord{}
		}
		if err := w.run(ctx); err != nil {
			yield(ports.RuntimeEvent{}, err)
		}
	}
}

// errStopped is how the consumer's own end of a watch travels up.
var errStopped = errors.New("consumer stopped")

// watcher is one watch across its connections. One goroutine owns it.
type watcher struct {
	client  *Client
	options ports.WatchOptions
	yield   func(ports.RuntimeEvent, error) bool
	pause   *backoff.ExponentialBackOff

	begun    bool
	store    string          // whose revision the position is, when a server has said so
	position int64           // the last revision that was handed on whole
	pending  []pendingItem   // what came after it, until its last event comes
	damage   map[damage]bool // what was reported of what came after it, ahead of the rest
	resyncs  bool            // the next snapshot replaces what the consumer holds

	// told holds the last record of each game that the consumer was told of and
	// not told to forget; nil when nobody will ask for it.
	told map[string]*runtime.RuntimeRecord
}

type pendingItem struct {
	event ports.RuntimeEvent
	err   error
}

// damage is one report of a value that cannot be read.
type damage struct {
	revision int64
	text     string
}

// run returns nil when the consumer stopped, and otherwise why the watch ended.
func (w *watcher) run(ctx context.Context) error {
	for {
		err := w.connection(ctx)
		w.pending = nil
		switch {
		case errors.Is(err, errStopped):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case w.begun && w.options.Resync && isForgotten(err):
			w.startOver()
		case !w.begun || !isLost(err):
			return w.client.settleRead(ctx, err)
		}
		if hook := w.client.cfg.OnReconnect; hook != nil {
			hook(err, w.position)
		}
		if !wait(ctx, w.pause.NextBackOff()) {
			return ctx.Err()
		}
	}
}

// isForgotten reports that the store cannot go on from the position.
func isForgotten(err error) bool {
	return errors.Is(err, runtime.ErrCompacted) || errors.Is(err, runtime.ErrForeignRevision)
}

// isLost reports that the connection or the server's own store is gone, for
// now at least.
func isLost(err error) bool {
	var answer *answerError
	if errors.As(err, &answer) {
		return answer.status == http.StatusBadGateway || answer.status == http.StatusServiceUnavailable ||
			answer.status == http.StatusGatewayTimeout
	}
	return isUnavailable(err)
}

// startOver asks for a snapshot next, of whatever store is there now.
func (w *watcher) startOver() {
	w.position, w.store, w.options.Store, w.resyncs = 0, "", "", true
}

// connection follows one connection to its end and says why it ended.
func (w *watcher) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := w.open(ctx, cancel)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	w.begun = true
	if store := response.Header.Get(wire.HeaderStore); store != "" || w.position == 0 {
		w.store = store
	}
	silence := w.silence(response.Header)
	events := newEventReader(response.Body)
	for {
		dead := time.AfterFunc(silence, cancel)
		event, err := events.next()
		if !dead.Stop() {
			return &sendError{err: fmt.Errorf("the stream was silent for %s", silence)}
		}
		if err != nil {
			return &sendError{err: fmt.Errorf("the stream broke: %w", err)}
		}
		w.pause.Reset()
		if err := w.take(event); err != nil {
			return err
		}
	}
}

// open returns an answer that is a stream. The time that it may take includes
// what a refusal takes to arrive.
func (w *watcher) open(ctx context.Context, cancel func()) (*http.Response, error) {
	opening := time.AfterFunc(w.client.cfg.RequestTimeout, cancel)
	response, err := w.client.send(ctx, w.request())
	if err == nil {
		err = refusal(response)
	}
	if !opening.Stop() {
		// In place of the error of the context, which is not the caller's.
		err = &sendError{err: errors.New("the server did not begin the stream in time")}
	}
	if err != nil && response != nil {
		response.Body.Close()
	}
	return response, err
}

// refusal returns what an answer says that is no stream, nil for one that is.
func refusal(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return errorOf(response)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != wire.NDJSONMediaType {
		return strangeAnswer(response)
	}
	return nil
}

func (w *watcher) request() call {
	query := url.Values{}
	store := w.options.Store
	if w.position != 0 {
		query.Set("from_revision", strconv.FormatInt(w.position, 10))
		store = cmp.Or(w.store, store)
	}
	setIfGiven(query, "status", string(w.options.Status))
	setIfGiven(query, "region", w.options.Region)
	setIfGiven(query, "node", w.options.Node)
	setIfGiven(query, "game_id", w.options.GameID)
	setIfGiven(query, "store", store)
	if w.options.Resync {
		query.Set("resync", "true")
	}
	return call{
		method: http.MethodGet, path: "/v1/watch", query: query,
		header: http.Header{"Accept": {wire.NDJSONMediaType}},
	}
}

// silence is how long this stream may say nothing.
func (w *watcher) silence(header http.Header) time.Duration {
	if w.client.cfg.SilenceTimeout > 0 {
		return w.client.cfg.SilenceTimeout
	}
	seconds, err := strconv.Atoi(header.Get(wire.HeaderHeartbeat))
	if err != nil || seconds < 1 {
		seconds = 15
	}
	return 3 * time.Duration(seconds) * time.Second
}

// take adds one element of the stream to what is pending, and hands all of it
// on when it is whole. An error ends the connection.
func (w *watcher) take(e wire.Event) error {
	event := e.RuntimeEvent()
	switch {
	case e.Type == wire.TypeError && e.Error == nil:
		return &answerError{http.StatusInternalServerError, "the server sent an error without a problem"}
	case e.Type == wire.TypeError && e.Final != nil && !*e.Final:
		return w.takeDamage(pendingItem{
			event: ports.RuntimeEvent{Revision: e.Revision, GameID: e.GameID}, err: errorFrom(e.Error),
		})
	case e.Type == wire.TypeError:
		return errorFrom(e.Error)
	case event.Type == ports.EventBookmark && event.Revision <= w.position:
		return nil // a sign of life
	}
	w.pending = append(w.pending, pendingItem{event: event})
	if !event.Last {
		return nil
	}
	return w.handOn(event.Revision)
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
func (w *watcher) handOn(revision int64) error {
	for _, item := range w.withVanished(revision) {
		w.remember(item.event)
		if !w.yield(item.event, item.err) {
			return errStopped
		}
	}
	w.position, w.pending = revision, nil
	clear(w.damage)
	return nil
}

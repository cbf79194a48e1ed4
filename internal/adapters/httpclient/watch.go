package httpclient

import (
	"context"
	"errors"
	"iter"
	"net/http"

	"github.com/cenkalti/backoff/v5"

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
// events of one revision, and those of one snapshot, together: it holds a whole
// snapshot in memory first, as List does.
//
// Unlike a store of this process, the client ends a watch with
// runtime.ErrIncompatible when the server goes on sending what it cannot read.
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
	garbled  int             // streams in a row that could not be read
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
	if !errors.As(err, &answer) {
		return isUnavailable(err)
	}
	switch answer.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// startOver asks for a snapshot next, of whatever store is there now.
func (w *watcher) startOver() {
	w.position, w.store, w.options.Store, w.resyncs = 0, "", "", true
}

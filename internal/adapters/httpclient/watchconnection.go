package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// maxGarbled is how many streams in a row may bring what cannot be read and
	// nothing new before the watch ends: asked for ever, such a server would hold
	// its consumer for ever.
	maxGarbled = 10
	// A heartbeat that no server names, or none can mean, is defaultHeartbeat.
	defaultHeartbeat, maxHeartbeat = 15 * time.Second, time.Hour
)

// connection follows one connection to its end and says why it ended.
func (w *watcher) connection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := w.open(ctx, cancel)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := w.recognise(response.Header.Get(api.HeaderStore)); err != nil {
		return err
	}
	silence := w.client.silence(response.Header)
	dead := time.AfterFunc(silence, cancel)
	defer dead.Stop()
	for events := newEventReader(response.Body); ; {
		dead.Reset(silence)
		event, err := events.next()
		switch {
		case !dead.Stop():
			err = &sendError{err: fmt.Errorf("the stream was silent for %s", silence)}
		case err != nil:
			err = w.broken(err)
		default:
			err = w.take(ctx, event)
		}
		w.begun = w.begun || w.begins(err)
		if err != nil {
			return err
		}
	}
}

// open returns an answer that is a stream. The time that it may take includes
// what a refusal takes to arrive.
func (w *watcher) open(ctx context.Context, cancel func()) (*http.Response, error) {
	opening := time.AfterFunc(w.client.cfg.RequestTimeout, cancel)
	request := w.request()
	response, err := w.client.send(ctx, request)
	if err == nil {
		err = refusal(response)
	}
	if !opening.Stop() {
		err = &sendError{err: noAnswer(request, "the server did not begin the stream in time")}
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
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != api.NDJSONMediaType {
		return strangeAnswer(response)
	}
	return nil
}

// heldStore is the store that the next stream has to be of, empty for any.
func (w *watcher) heldStore() string {
	if w.position == 0 {
		return w.options.Store
	}
	return cmp.Or(w.store, w.options.Store)
}

// recognise compares the store that answers with the one that the watch is of:
// the server compares too, but its refusal can be lost. A server that cannot
// name its store is believed.
func (w *watcher) recognise(store string) error {
	held := w.heldStore()
	switch {
	case store != "" && held != "" && store != held:
		return fmt.Errorf("server %s: %w: it serves store %q and the watch is of store %q",
			w.client.base.Redacted(), runtime.ErrForeignRevision, store, held)
	case store != "" || w.position == 0:
		w.store = store
	}
	return nil
}

// begins reports whether the watch has begun, by what came of the next element
// of its stream. A server may have to open a stream before its store has spoken,
// and what the store then refuses first is as good as a status. Only a watch
// that waits for changes may have been open for long when a server that leaves
// is the first to say something.
func (w *watcher) begins(err error) bool {
	var broke *sendError
	return err == nil || errors.As(err, &broke) || w.position != 0 && isLost(err)
}

// broken returns what the end of a stream means.
func (w *watcher) broken(err error) error {
	if !errors.Is(err, errUnreadable) {
		return &sendError{err: fmt.Errorf("the stream broke: %w", err)}
	}
	if w.garbled++; w.garbled == maxGarbled {
		return fmt.Errorf("server %s: %w: %w", w.client.base.Redacted(), runtime.ErrIncompatible, err)
	}
	return &sendError{err: err}
}

func (w *watcher) request() call {
	query := url.Values{}
	if w.position != 0 {
		query.Set("from_revision", strconv.FormatInt(w.position, 10))
	}
	setIfGiven(query, "status", string(w.options.Status))
	setIfGiven(query, "region", w.options.Region)
	setIfGiven(query, "node", w.options.Node)
	setIfGiven(query, "game_id", w.options.GameID)
	setIfGiven(query, "store", w.heldStore())
	if w.options.Resync {
		query.Set("resync", "true")
	}
	return call{
		method: http.MethodGet, path: "/v1/watch", query: query,
		header: http.Header{"Accept": {api.NDJSONMediaType}},
	}
}

// silence is how long a stream of this answer may say nothing.
func (c *Client) silence(header http.Header) time.Duration {
	if c.cfg.SilenceTimeout > 0 {
		return c.cfg.SilenceTimeout
	}
	heartbeat := defaultHeartbeat
	if seconds, err := strconv.Atoi(header.Get(api.HeaderHeartbeat)); err == nil && seconds > 0 && seconds <= int(maxHeartbeat/time.Second) {
		heartbeat = time.Duration(seconds) * time.Second
	}
	return 3 * heartbeat
}

package httpclient

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// maxMalformedStreams bounds how many consecutive streams may be malformed without
	// progress before the watch ends. Without a bound, such a server would block its
	// consumer forever.
	maxMalformedStreams = 10
	// defaultHeartbeat replaces a heartbeat interval that the server does not name, or
	// that exceeds maxHeartbeat.
	defaultHeartbeat, maxHeartbeat = 15 * time.Second, time.Hour
)

// runConnection reads one connection to its end and returns the error that ended it.
func (w *watcher) runConnection(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	response, err := w.openStream(ctx, cancel)
	w.hasOpened = err == nil
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if onOpen := w.client.cfg.OnOpen; onOpen != nil {
		onOpen()
	}
	if err := w.checkStore(response.Header.Get(api.HeaderStore)); err != nil {
		return err
	}
	idleTimeout := w.client.idleTimeout(response.Header)
	idle := time.AfterFunc(idleTimeout, cancel)
	defer idle.Stop()
	w.events = newEventReader(response.Body)
	next := w.events.next
	if w.yieldGame != nil {
		next = w.events.nextGameEvent
	}
	for {
		idle.Reset(idleTimeout)
		event, err := next()
		switch {
		case !idle.Stop():
			err = &sendError{err: fmt.Errorf("the stream was idle for %s", idleTimeout)}
		case err != nil:
			err = w.streamError(err)
		default:
			err = w.handleEvent(ctx, event)
		}
		w.isStarted = w.isStarted || w.hasStarted(err)
		if err != nil {
			return err
		}
	}
}

// openStream returns a response that is an event stream. Config.RequestTimeout bounds it,
// including the time to read an error response.
func (w *watcher) openStream(ctx context.Context, cancel func()) (*http.Response, error) {
	opening := time.AfterFunc(w.client.cfg.RequestTimeout, cancel)
	request := w.watchRequest()
	response, err := w.client.send(ctx, request)
	if err == nil {
		err = checkStreamResponse(response)
	}
	if !opening.Stop() {
		err = &sendError{err: timeoutError(request, "the server did not open the stream in time")}
	}
	if err != nil && response != nil {
		response.Body.Close()
	}
	return response, err
}

// checkStreamResponse returns the error of a response that is not an event stream, and
// nil for one that is.
func checkStreamResponse(response *http.Response) error {
	if response.StatusCode != http.StatusOK {
		return decodeError(response)
	}
	if media, _, _ := mime.ParseMediaType(response.Header.Get("Content-Type")); media != api.NDJSONMediaType {
		return nonAPIResponseError(response)
	}
	return nil
}

// expectedStore returns the store that the next stream must belong to, empty for any.
func (w *watcher) expectedStore() string {
	if w.position == 0 {
		return w.options.Store
	}
	return cmp.Or(w.storeID, w.options.Store)
}

// checkStore compares the server's store with the watch's. The server does so too, but
// its error response can be lost. A server that cannot name its store is accepted.
func (w *watcher) checkStore(storeID string) error {
	expected := w.expectedStore()
	switch {
	case storeID != "" && expected != "" && storeID != expected:
		return fmt.Errorf("server %s: %w: %w %q, and the server's is %q",
			w.client.server(), runtime.ErrForeignRevision, errOtherStore, expected, storeID)
	case storeID != "" || w.position == 0:
		w.storeID = storeID
	}
	return nil
}

// hasStarted reports whether the watch has started, given the result of the next event of
// its stream. A server may open a stream before its store has responded. Therefore an error
// of the store as the first event counts as a failed start. The exception is a watch from a
// revision: it may have waited for changes for long when the server shuts down.
func (w *watcher) hasStarted(err error) bool {
	var sendErr *sendError
	return err == nil || errors.As(err, &sendErr) || w.position != 0 && isConnectionLost(err)
}

// streamError returns the error that the end of a stream means.
func (w *watcher) streamError(err error) error {
	if !errors.Is(err, errMalformed) {
		return &sendError{err: fmt.Errorf("the stream broke: %w", err)}
	}
	if w.malformedStreams++; w.malformedStreams == maxMalformedStreams {
		return fmt.Errorf("server %s: %w: %w", w.client.server(), runtime.ErrIncompatible, err)
	}
	return &sendError{err: err}
}

func (w *watcher) watchRequest() apiRequest {
	query := url.Values{}
	if w.position != 0 {
		query.Set("from_revision", strconv.FormatInt(w.position, 10))
	}
	maps.Copy(query, w.query)
	setFilter(query, &w.options.RecordFilter)
	setIfGiven(query, "game_id", w.options.GameID)
	setIfGiven(query, "store", w.expectedStore())
	if w.options.Resync {
		query.Set("resync", "true")
	}
	return apiRequest{
		method: http.MethodGet, path: w.path, query: query,
		header: http.Header{"Accept": {api.NDJSONMediaType}},
	}
}

// idleTimeout returns how long a stream with this header may send nothing.
func (c *Client) idleTimeout(header http.Header) time.Duration {
	if c.cfg.IdleTimeout > 0 {
		return c.cfg.IdleTimeout
	}
	heartbeat := defaultHeartbeat
	if seconds, err := strconv.Atoi(header.Get(api.HeaderHeartbeat)); err == nil && seconds > 0 && seconds <= int(maxHeartbeat/time.Second) {
		heartbeat = time.Duration(seconds) * time.Second
	}
	return 3 * heartbeat
}

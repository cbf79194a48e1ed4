package httpclient_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/ports"
)

// scriptedClient returns a client of a server that handles each request by the next
// handler, and all further requests by the last one. The second result counts the
// requests.
func scriptedClient(t *testing.T, cfg httpclient.Config, handlers ...func(exchange)) (*httpclient.Client, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := min(int(requests.Add(1)), len(handlers))
		handlers[n-1](exchange{t, w, r})
	}))
	client, err := httpclient.New(server.URL, cfg)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, client.Close())
		server.CloseClientConnections()
		server.Close()
	})
	return client, &requests
}

// exchange is one request and its response.
type exchange struct {
	t *testing.T
	w http.ResponseWriter
	r *http.Request
}

// openStream starts an event stream of the store; an empty store is not named.
func (s exchange) openStream(store string) exchange {
	s.w.Header().Set("Content-Type", api.NDJSONMediaType)
	if store != "" {
		s.w.Header().Set(api.HeaderStore, store)
	}
	s.w.WriteHeader(http.StatusOK)
	return s.sendLines()
}

// sendLines sends each line and its newline.
func (s exchange) sendLines(lines ...string) exchange {
	for _, line := range lines {
		_, _ = s.w.Write([]byte(line + "\n"))
	}
	_ = http.NewResponseController(s.w).Flush()
	return s
}

func (s exchange) sendEvents(events ...api.Event) exchange {
	for _, event := range events {
		line, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		s.sendLines(string(line))
	}
	return s
}

// sendFinalError sends the error that ends the stream.
func (s exchange) sendFinalError(status int, code api.Code) {
	final := true
	s.sendEvents(api.Event{Type: api.TypeError, Final: &final, Error: &api.Problem{
		Type: api.ProblemTypePrefix + string(code), Title: "rejected", Status: status, Detail: "rejected by the script", Code: code,
	}})
}

// hang sends nothing until the client disconnects, which a server sees only after it has
// read the request to its end.
func (s exchange) hang() {
	_, _ = io.Copy(io.Discard, s.r.Body)
	<-s.r.Context().Done()
}

// dropConnection closes the connection without a response.
func (s exchange) dropConnection() { panic(http.ErrAbortHandler) }

func upserted(revision int64, gameID string) api.Event {
	record := running(gameID)
	return api.Event{Type: string(ports.EventUpserted), Revision: revision, GameID: gameID, After: &record, Last: true}
}

func snapshotOf(revision int64, gameIDs ...string) []api.Event {
	var events []api.Event
	for _, gameID := range gameIDs {
		record := running(gameID)
		events = append(events, api.Event{Type: string(ports.EventSnapshot), Revision: revision, GameID: gameID, After: &record})
	}
	return append(events, api.Event{Type: string(ports.EventSynced), Revision: revision, Last: true})
}

// fastRetries returns a configuration that retries almost without a wait.
func fastRetries() httpclient.Config {
	return httpclient.Config{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
}

// watchReader reads a watch one step at a time.
type watchReader struct {
	t    *testing.T
	next func() (ports.RuntimeEvent, error, bool)
}

func startWatch(t *testing.T, client *httpclient.Client, options ports.WatchOptions) watchReader {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	next, stop := iter.Pull2(client.Watch(ctx, options))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return watchReader{t, next}
}

// requireSteps requires the next steps to be these, in the format of formatStep.
func (c watchReader) requireSteps(want ...string) {
	c.t.Helper()
	for i, line := range want {
		event, err, ok := c.next()
		require.True(c.t, ok, "the watch ended without an error before step %d, %q", i+1, line)
		require.Equal(c.t, line, formatStep(event, err), "step %d of the watch", i+1)
	}
}

// requireEnd requires the watch to end now, and returns its error.
func (c watchReader) requireEnd() error {
	c.t.Helper()
	event, err, ok := c.next()
	require.True(c.t, ok, "the watch ended without an error")
	require.Error(c.t, err, "want the end of the watch, got %s", formatStep(event, err))
	require.Zero(c.t, event, "the error that ends the watch has no event")
	_, further, ok := c.next()
	require.False(c.t, ok, "the watch continued after its end %v with %v", err, further)
	return err
}

func formatStep(event ports.RuntimeEvent, err error) string {
	if err != nil {
		return fmt.Sprintf("error at %d of %q: %v", event.Revision, event.GameID, err)
	}
	return fmt.Sprintf("%s %d %s", event.Type, event.Revision, event.GameID)
}

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

// playing is a client of a server that plays one scene for each request it
// gets, in order, and the last one again and again. The second result counts
// the requests.
func playing(t *testing.T, cfg httpclient.Config, scenes ...func(stage)) (*httpclient.Client, *atomic.Int64) {
	t.Helper()
	var requests atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turn := min(int(requests.Add(1)), len(scenes))
		scenes[turn-1](stage{t, w, r})
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

// stage is where a scene plays: one request and its answer.
type stage struct {
	t *testing.T
	w http.ResponseWriter
	r *http.Request
}

// open begins a watch stream of the store; an empty one is not named.
func (s stage) open(store string) stage {
	s.w.Header().Set("Content-Type", api.NDJSONMediaType)
	if store != "" {
		s.w.Header().Set(api.HeaderStore, store)
	}
	s.w.WriteHeader(http.StatusOK)
	return s.say()
}

// say sends lines as they are, each with its end.
func (s stage) say(lines ...string) stage {
	for _, line := range lines {
		_, _ = s.w.Write([]byte(line + "\n"))
	}
	_ = http.NewResponseController(s.w).Flush()
	return s
}

func (s stage) events(events ...api.Event) stage {
	for _, event := range events {
		line, err := json.Marshal(event)
		if err != nil {
			panic(err)
		}
		s.say(string(line))
	}
	return s
}

// refuse says why the stream ends, on the stream.
func (s stage) refuse(status int, code string) {
	final := true
	s.events(api.Event{Type: api.TypeError, Final: &final, Error: &api.Problem{
		Type: api.ProblemTypePrefix + code, Title: "refused", Status: status, Detail: "refused by the script", Code: code,
	}})
}

// idle says nothing until the client has gone, which shows only to a server
// that has read the request to its end.
func (s stage) idle() {
	_, _ = io.Copy(io.Discard, s.r.Body)
	<-s.r.Context().Done()
}

// cut breaks the connection off.
func (s stage) cut() { panic(http.ErrAbortHandler) }

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

// quick makes a watch come back at once.
func quick() httpclient.Config {
	return httpclient.Config{MinBackoff: time.Millisecond, MaxBackoff: 5 * time.Millisecond}
}

// consumer takes a watch one step at a time.
type consumer struct {
	t    *testing.T
	next func() (ports.RuntimeEvent, error, bool)
}

func consume(t *testing.T, client *httpclient.Client, options ports.WatchOptions) consumer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	next, stop := iter.Pull2(client.Watch(ctx, options))
	t.Cleanup(func() {
		cancel()
		stop()
	})
	return consumer{t, next}
}

// hears wants the next steps to be these, in the form of stepOf.
func (c consumer) hears(want ...string) {
	c.t.Helper()
	for i, line := range want {
		event, err, ok := c.next()
		require.True(c.t, ok, "the watch ended without a reason before step %d, %q", i+1, line)
		require.Equal(c.t, line, stepOf(event, err), "step %d of the watch", i+1)
	}
}

// ends wants the watch to end now, and returns why.
func (c consumer) ends() error {
	c.t.Helper()
	event, err, ok := c.next()
	require.True(c.t, ok, "the watch ended without a reason")
	require.Error(c.t, err, "wanted the end of the watch, got %s", stepOf(event, err))
	require.Zero(c.t, event, "the event beside the error that ends the watch")
	_, again, ok := c.next()
	require.False(c.t, ok, "the watch went on after its end %v with %v", err, again)
	return err
}

func stepOf(event ports.RuntimeEvent, err error) string {
	if err != nil {
		return fmt.Sprintf("error at %d of %q: %v", event.Revision, event.GameID, err)
	}
	return fmt.Sprintf("%s %d %s", event.Type, event.Revision, event.GameID)
}

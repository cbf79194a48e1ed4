package dockerengine_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/container"
)

// streamOf responds to requests of the path with the pieces of text, and then with the
// fault.
func streamOf(path string, after fault, pieces ...string) fault {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if !strings.HasSuffix(r.URL.Path, path) {
			return false
		}
		for _, piece := range pieces {
			_, _ = w.Write([]byte(piece))
			_ = http.NewResponseController(w).Flush()
		}
		return after == nil || after(w, r)
	}
}

// startMessage is the engine's event of a start.
func startMessage(id string) string {
	return fmt.Sprintf(`{"Type":"container","Action":"start","Actor":{"ID":%q,"Attributes":{%s}}}`+"\n", id, strings.TrimSuffix(attributes(), ","))
}

// attributes are the labels in an event.
func attributes() string {
	var text strings.Builder
	for key, value := range fakeLabels() {
		fmt.Fprintf(&text, "%q:%q,", key, value)
	}
	return text.String()
}

// A stream that ends for any reason yields its events first and then an error.
func TestEventStreamThatBreaks(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	f.timeout = shortTimeout
	id := f.ids[0]
	for name, fault := range map[string]fault{
		"ends":                streamOf("/events", nil, startMessage(id)),
		"is cut":              streamOf("/events", cut, startMessage(id)),
		"is cut in a message": streamOf("/events", cut, startMessage(id), `{"Type":"conta`),
		"is not JSON":         streamOf("/events", f.hang, startMessage(id), "<html>\n"),
		"has no type":         streamOf("/events", f.hang, startMessage(id), "{}\n"),
		"has no id":           streamOf("/events", f.hang, startMessage(id), startMessage("")),
		// The stream stays open, and the engine does not respond to a ping.
		"engine hangs": func(w http.ResponseWriter, r *http.Request) bool {
			return streamOf("/events", f.hang, startMessage(id))(w, r) || strings.HasSuffix(r.URL.Path, "/_ping") && f.hang(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine := f.open(t)
			f.injectFault(fault)
			defer f.fault.Store(nil)
			s := openStream(t, engine)
			require.Equal(t, container.Event{Type: container.EventStarted, GameID: "g1", ContainerID: id}, s.nextEvent(t))
			event, err, ok := s.next()
			require.True(t, ok)
			require.Zero(t, event)
			require.ErrorIs(t, err, container.ErrEngineUnavailable)
			_, _, ok = s.next()
			require.False(t, ok, "the error is the last item")
		})
	}
}

// A stream that the engine rejects or never opens yields no event.
func TestEventStreamThatDoesNotOpen(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	f.timeout = shortTimeout
	for name, fault := range f.faults() {
		if slices.Contains([]string{"truncate", "not JSON", "HTML page", "empty", "null", "object"}, name) {
			continue // accepted, and then malformed
		}
		engine := f.open(t)
		f.injectFault(onlyFor(http.MethodGet, "/events", fault))
		requireUnavailable(t, methods("")["events"](t.Context(), engine))
		f.fault.Store(nil)
	}
}

// The engine responds before it subscribes to events. No event in between is lost, since the
// stream starts at an earlier time of the engine's clock.
func TestEventsHaveNoGapAtTheOpening(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	engine := f.open(t)
	sinces := make(chan string, 1)
	f.injectFault(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/info") {
			_, err := w.Write([]byte(`{"SystemTime":"2001-02-03T04:05:06.000000007+01:00"}`))
			return err == nil
		}
		if strings.HasSuffix(r.URL.Path, "/events") {
			sinces <- r.FormValue("since")
		}
		return false
	})
	openStream(t, engine)
	require.Equal(t, "981169506.000000007", <-sinces)
}

func TestForeignEventsAreDropped(t *testing.T) {
	t.Parallel()
	f := newFakeServer(t, 1)
	f.timeout = shortTimeout
	engine := f.open(t)
	id := f.ids[0]
	foreign := strings.Replace(startMessage(id), `"s1"`, `"s2"`, 1)
	network := strings.Replace(startMessage(id), `"container"`, `"network"`, 1)
	renamed := strings.Replace(startMessage(id), `"start"`, `"rename"`, 1)
	f.injectFault(streamOf("/events", f.hang, foreign, network, renamed, startMessage(id)))
	require.Equal(t, container.EventStarted, openStream(t, engine).nextEvent(t).Type)
}

func TestPullFailures(t *testing.T) {
	t.Parallel()
	const layer = `{"id":"abc","status":"Downloading","progressDetail":{"current":1,"total":9}}` + "\n"
	f := newFakeServer(t, 0)
	f.timeout = shortTimeout
	for name, tt := range map[string]struct {
		then fault
		want error
	}{
		"hangs":        {f.hang, container.ErrEngineUnavailable},
		"is cut":       {cut, container.ErrEngineUnavailable},
		"is not JSON":  {respond(200, "", "}{"), container.ErrEngineUnavailable},
		"has an error": {respond(200, "", `{"errorDetail":{"message":"no space"},"error":"no space"}`), container.ErrNoImage},
		"has no image": {nil, container.ErrNoImage},
	} {
		engine := f.open(t)
		f.injectFault(streamOf("/images/create", tt.then, layer))
		var seen []container.ImageProgress
		err := engine.EnsureImage(context.Background(), "game:1", func(p container.ImageProgress) { seen = append(seen, p) })
		require.ErrorIs(t, err, tt.want, name)
		require.Equal(t, container.ImageProgress{Text: "abc: Downloading", BytesDone: 1, BytesTotal: 9}, seen[0], name)
		f.fault.Store(nil)
	}
}

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

// streams answers requests of that path with the text, piece by piece, and goes on
// with the fault.
func streams(path string, after fault, pieces ...string) fault {
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

func started(id string) string {
	return fmt.Sprintf(`{"Type":"container","Action":"start","Actor":{"ID":%q,"Attributes":{%s}}}`+"\n", id, strings.TrimSuffix(attributes(), ","))
}

func attributes() string {
	var text strings.Builder
	for key, value := range fakeLabels() {
		fmt.Fprintf(&text, "%q:%q,", key, value)
	}
	return text.String()
}

// A stream that ends, however it does, ends with an error, after what it told.
func TestEventStreamThatBreaks(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	f.limit = impatience
	id := f.ids[0]
	for name, broken := range map[string]fault{
		"ends":          streams("/events", nil, started(id)),
		"is cut":        streams("/events", cuts, started(id)),
		"is cut midway": streams("/events", cuts, started(id), `{"Type":"conta`),
		"is garbage":    streams("/events", f.hangs, started(id), "<html>\n"),
		"is nonsense":   streams("/events", f.hangs, started(id), "{}\n"),
		"tells of none": streams("/events", f.hangs, started(id), started("")),
		// The stream stays open, and the engine answers nothing any more.
		"is silent": func(w http.ResponseWriter, r *http.Request) bool {
			return streams("/events", f.hangs, started(id))(w, r) || strings.HasSuffix(r.URL.Path, "/_ping") && f.hangs(w, r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			engine := f.open(t)
			f.spoil(broken)
			defer f.fault.Store(nil)
			s := events(t, engine)
			require.Equal(t, container.Event{Type: container.EventStarted, GameID: "g1", ContainerID: id}, s.one(t))
			event, err, ok := s.next()
			require.True(t, ok)
			require.Zero(t, event)
			require.ErrorIs(t, err, container.ErrEngineUnavailable)
			_, _, ok = s.next()
			require.False(t, ok, "the error is the last")
		})
	}
}

// A stream that the engine refuses, or never opens, has no opening.
func TestEventStreamThatIsRefused(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	f.limit = impatience
	for name, broken := range f.faults() {
		if slices.Contains([]string{"truncates", "garbage", "a page", "nothing", "null", "an object"}, name) {
			continue // accepted, and then nonsense
		}
		engine := f.open(t)
		f.spoil(only(http.MethodGet, "/events", broken))
		requireUnavailable(t, calls("")["events"](t.Context(), engine))
		f.fault.Store(nil)
	}
}

// The engine says that a stream is open before it subscribes. What happens in
// between is told because the stream begins earlier, by the engine's own clock.
func TestEventsHaveNoGapAtTheOpening(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	engine := f.open(t)
	sinces := make(chan string, 1)
	f.spoil(func(w http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, "/info") {
			_, err := w.Write([]byte(`{"SystemTime":"2001-02-03T04:05:06.000000007+01:00"}`))
			return err == nil
		}
		if strings.HasSuffix(r.URL.Path, "/events") {
			sinces <- r.FormValue("since")
		}
		return false
	})
	events(t, engine)
	require.Equal(t, "981169506.000000007", <-sinces)
}

func TestEventsOfOthersAreNotTold(t *testing.T) {
	t.Parallel()
	f := newFake(t, 1)
	f.limit = impatience
	engine := f.open(t)
	id := f.ids[0]
	foreign := strings.Replace(started(id), `"s1"`, `"s2"`, 1)
	network := strings.Replace(started(id), `"container"`, `"network"`, 1)
	renamed := strings.Replace(started(id), `"start"`, `"rename"`, 1)
	f.spoil(streams("/events", f.hangs, foreign, network, renamed, started(id)))
	require.Equal(t, container.EventStarted, events(t, engine).one(t).Type)
}

func TestPullThatFails(t *testing.T) {
	t.Parallel()
	const layer = `{"id":"abc","status":"Downloading","progressDetail":{"current":1,"total":9}}` + "\n"
	f := newFake(t, 0)
	f.limit = impatience
	for name, tt := range map[string]struct {
		then fault
		want error
	}{
		"goes silent": {f.hangs, container.ErrEngineUnavailable},
		"is cut":      {cuts, container.ErrEngineUnavailable},
		"is garbage":  {says(200, "", "}{"), container.ErrEngineUnavailable},
		"has an end":  {says(200, "", `{"errorDetail":{"message":"no space"},"error":"no space"}`), container.ErrNoImage},
		"has nothing": {nil, container.ErrNoImage},
	} {
		engine := f.open(t)
		f.spoil(streams("/images/create", tt.then, layer))
		var seen []container.ImageProgress
		err := engine.EnsureImage(context.Background(), "game:1", func(p container.ImageProgress) { seen = append(seen, p) })
		require.ErrorIs(t, err, tt.want, name)
		require.Equal(t, container.ImageProgress{Text: "abc: Downloading", BytesDone: 1, BytesTotal: 9}, seen[0], name)
		f.fault.Store(nil)
	}
}

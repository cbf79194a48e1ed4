package httpserver_test

import (
	"context"
	"iter"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// singleEventStore is a store whose watches yield one step and end.
type singleEventStore struct {
	*memstore.Store
	event ports.RuntimeEvent
	err   error
}

func (s *singleEventStore) Watch(context.Context, ports.WatchOptions) iter.Seq2[ports.RuntimeEvent, error] {
	return func(yield func(ports.RuntimeEvent, error) bool) {
		if yield(s.event, s.err) {
			yield(ports.RuntimeEvent{}, runtime.ErrCompacted)
		}
	}
}

// Any record and any error is encoded as one frame or one line, which decodes to the same
// value.
func FuzzStreamFraming(f *testing.F) {
	f.Add(int64(7), "g", "plain", true, false)
	f.Add(int64(0), "a\nb", "data: x\n\nevent: y\r\rid: 3", false, false)
	f.Add(int64(-1), "\u2028\u2029\x00", "\xff<script>&", true, true)
	f.Add(int64(0), "0", "0", true, false)
	store := &singleEventStore{Store: memstore.New()}
	h := newTarget(f, store)
	info, err := store.Info(f.Context())
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, revision int64, id, text string, last, isCorrupt bool) {
		record := recordOf(id)
		record.Region, record.StatePath = text, text
		store.event, store.err = ports.RuntimeEvent{Type: ports.EventUpserted, Revision: revision, GameID: id, Before: &record, After: &record, Last: last}, nil
		if isCorrupt {
			store.event = ports.RuntimeEvent{Revision: revision, GameID: id}
			store.err = &runtime.CorruptError{Key: text, GameID: id, Reason: text}
		}
		lines := h.send(t, "GET", "/v1/watch", http.Header{"Accept": {api.NDJSONMediaType}, api.HeaderRequestID: {"fuzz"}}, nil).Body.String()
		require.Equal(t, 2, strings.Count(lines, "\n"), "the event and the end, one line each: %q", lines)
		require.NotContains(t, lines, "\r")
		line, _, _ := strings.Cut(lines, "\n")

		frames := parseSSE(h.send(t, "GET", "/v1/watch", http.Header{api.HeaderRequestID: {"fuzz"}}, nil).Body.String())
		require.Len(t, frames, 2, "the event and the end, one frame each")
		require.Equal(t, line, frames[0]["data"], "both forms carry the same document")
		require.Equal(t, "error", frames[1]["event"])

		got := decodeAs[api.Event](t, line)
		require.Equal(t, revision, got.Revision)
		wantName := got.Type
		if isCorrupt {
			wantName = "corrupt"
		}
		require.Equal(t, wantName, frames[0]["event"])
		require.Equal(t, last && !isCorrupt, frames[0]["id"] == itoa(revision)+"@"+info.ID, "id %q of %q", frames[0]["id"], line)
		if !utf8.ValidString(id) || !utf8.ValidString(text) {
			return // JSON cannot carry it, and no store lets it in
		}
		require.Equal(t, id, got.GameID)
		if isCorrupt {
			require.Equal(t, text, got.Error.Reason)
			require.False(t, *got.Final)
			return
		}
		require.Equal(t, record, *got.After)
		require.Equal(t, store.event, got.RuntimeEvent())
	})
}

// parseSSE parses server-sent events as the HTML standard defines: three kinds of line
// end, fields that accumulate, an event at each blank line that has data.
func parseSSE(text string) []map[string]string {
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	var events []map[string]string
	event := map[string]string{}
	for line := range strings.SplitSeq(text, "\n") {
		if line == "" {
			if _, ok := event["data"]; ok {
				events = append(events, event)
			}
			event = map[string]string{}
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		if data, exists := event["data"]; name == "data" && exists {
			value = data + "\n" + value
		}
		event[name] = value
	}
	return events
}

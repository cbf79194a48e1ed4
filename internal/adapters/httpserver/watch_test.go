package httpserver_test

import (
	"net/http"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/domain/runtime"
)

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// A complete watch in both formats: the snapshot, its end, and each change with the
// record before and after.
func TestWatchHasSnapshotAndChanges(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := start(t, httpserver.Config{})
			require.NoError(t, f.store.Upsert(t.Context(), recordOf("a")))
			require.NoError(t, f.store.Upsert(t.Context(), recordOf("b/ü\u2028")))
			s := f.watch("", headers)
			require.Equal(t, "15", s.head.Header.Get("Rtmanager-Heartbeat"))
			require.Equal(t, f.storeID(), s.head.Header.Get("Rtmanager-Store"))
			require.Equal(t, "no", s.head.Header.Get("X-Accel-Buffering"), "a proxy that buffers would delay events")
			require.Equal(t, "no-store", s.head.Header.Get("Cache-Control"))
			events := s.expect("snapshot a 3", "snapshot b/ü\u2028 3", "synced 3")

			require.Equal(t, 200, f.send("PUT", "/v1/runtimes/c", "", runningRecord).StatusCode)
			require.Equal(t, 200, f.send("PUT", "/v1/runtimes/c", "", withMember(runningRecord, "node", `"line\nfeed"`)).StatusCode)
			require.Equal(t, 200, f.send("POST", "/v1/runtimes/c/status", "", stopChange).StatusCode)
			f.store.DeleteKeys("c")
			events = append(events, s.expect("upserted c 4", "upserted c 5", "transitioned c 6", "deleted c 7")...)

			snapshot, created, overwritten, transitioned, deleted := events[0], events[3], events[4], events[5], events[6]
			require.Nil(t, snapshot.Before)
			require.Equal(t, recordOf("a"), *snapshot.After)
			require.Nil(t, events[2].After, "synced has no record")
			require.Nil(t, created.Before, "there is no record before the first")
			require.Equal(t, "n1", created.After.Node)
			require.Equal(t, "n1 line\nfeed", overwritten.Before.Node+" "+overwritten.After.Node)
			require.Equal(t, runtime.StatusRunning, transitioned.Before.Status)
			require.Equal(t, runtime.StatusStopped, transitioned.After.Status)
			require.Equal(t, transitioned.After, deleted.Before)
			require.Nil(t, deleted.After)
			for i, e := range events {
				require.Equal(t, i >= 2, e.Last, "whether one may resume after %s", e.raw)
				require.Equal(t, s.sse && e.Last, e.id == itoa(e.Revision)+"@"+f.storeID(), "the id %q of %s", e.id, e.raw)
			}
		})
	}
}

func TestWatchOfAnEmptyStore(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, headers := range bothFormats {
		f.watch("", headers).expect("synced 1")
	}
}

// The server uses the first format that the Accept header names and does not exclude.
func TestWatchChoosesTheFormatFromAccept(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	const sse, lines = "text/event-stream", "application/x-ndjson"
	for accept, want := range map[string]string{
		"*/*": sse, "text/*": sse, "TEXT/Event-Stream": sse, "text/event-stream, application/x-ndjson": sse,
		"application/x-ndjson": lines, "application/x-ndjson;q=0.5, text/event-stream": lines,
		"text/html, application/x-ndjson": lines, "text/event-stream;q=0, application/x-ndjson": lines,
		"application/x-ndjson;q=0, */*": sse, "application/x-ndjson;charset=utf-8": lines,
		"text/html\r\nAccept: application/x-ndjson": lines, // a list may come in several lines
	} {
		_, response := f.openUntilDone("GET", "/v1/watch", "Accept: "+accept+"\r\n", "")
		require.Equal(t, http.StatusOK, response.StatusCode, "Accept: %s", accept)
		require.Equal(t, want, response.Header.Get("Content-Type"), "Accept: %s", accept)
	}
}

// HEAD returns the headers of a stream and opens none.
func TestHeadOfAWatch(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, headers := range bothFormats {
		head := f.send("HEAD", "/v1/watch", headers, "")
		require.Equal(t, http.StatusOK, head.StatusCode)
		require.Empty(t, head.body)
		require.Equal(t, f.watch("", headers).head.Header.Get("Content-Type"), head.Header.Get("Content-Type"))
	}
	require.Equal(t, http.StatusBadRequest, f.send("HEAD", "/v1/watch?from_revision=-1", "", "").StatusCode)
	require.Equal(t, http.StatusNotAcceptable, f.send("HEAD", "/v1/watch", "Accept: image/png\r\n", "").StatusCode)
}

// Every event of a stream is as documented.
func TestOpenAPIDescribesEveryEvent(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	c := contractOf(t, f)
	for name, headers := range bothFormats {
		require.Equal(t, 200, f.send("PUT", "/v1/runtimes/"+name, "", runningRecord).StatusCode)
		s := f.watch("?game_id="+name, headers)
		at, err := f.store.Revision(t.Context())
		require.NoError(t, err)
		story := s.expect("snapshot "+name+" "+itoa(at), "synced "+itoa(at))
		require.Equal(t, 200, f.send("PUT", "/v1/runtimes/"+name, "", runningRecord).StatusCode)
		require.Equal(t, 200, f.send("POST", "/v1/runtimes/"+name+"/status", "", stopChange).StatusCode)
		f.store.DeleteKeys(name)
		require.Equal(t, 200, f.send("PUT", "/v1/runtimes/other", "", runningRecord).StatusCode)
		story = append(story, s.expect("upserted "+name+" "+itoa(at+1), "transitioned "+name+" "+itoa(at+2), "deleted "+name+" "+itoa(at+3), "bookmark "+itoa(at+4))...)
		for _, e := range story {
			c.requireValid(t, encodeJSON(t, e.Event), "components", "schemas", "Event")
			if !s.sse {
				c.requireValid(t, e.raw, "paths", "/v1/watch", "get", "responses", "200", "content", "application/x-ndjson", "schema")
			}
		}
	}
}

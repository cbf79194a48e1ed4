package httpserver_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
)

const ndjson = "Accept: application/x-ndjson\r\n"

// bothFormats are the headers that request each format of a watch.
var bothFormats = map[string]string{"SSE": "", "NDJSON": ndjson}

// watchReader reads one open watch, element by element.
type watchReader struct {
	t     testing.TB
	conn  net.Conn
	head  rawResponse
	lines *bufio.Reader
	sse   bool
}

// element is one element of a stream.
type element struct {
	api.Event
	id          string // of a server-sent event, empty for none
	isHeartbeat bool   // a comment, or a repeated bookmark
	raw         string
}

// watch opens a stream, which must start.
func (f *fixture) watch(query, headers string) *watchReader {
	f.t.Helper()
	return f.stream("/v1/watch"+query, headers)
}

// stream opens a stream of the path, which must start.
func (f *fixture) stream(path, headers string) *watchReader {
	f.t.Helper()
	conn, response := f.openUntilDone("GET", path, headers, "")
	s := &watchReader{
		t: f.t, conn: conn, head: response, lines: bufio.NewReader(response.Body),
		sse: response.Header.Get("Content-Type") == api.EventStreamMediaType,
	}
	if response.StatusCode != http.StatusOK {
		text, _ := s.lines.ReadString('\n')
		require.Equal(f.t, 200, response.StatusCode, "GET %s: %s", path, text)
	}
	if s.sse {
		require.Equal(f.t, "retry: 2000\n\n", s.frame(), "the preamble of server-sent events")
	} else {
		require.Equal(f.t, api.NDJSONMediaType, response.Header.Get("Content-Type"))
	}
	return s
}

// frame reads until the next blank line.
func (s *watchReader) frame() string {
	s.t.Helper()
	var frame strings.Builder
	for {
		line, err := s.lines.ReadString('\n')
		require.NoError(s.t, err, "read the stream after %q", frame.String()+line)
		frame.WriteString(line)
		if line == "\n" {
			return frame.String()
		}
	}
}

// element reads the next element, heartbeats included.
func (s *watchReader) element() element {
	s.t.Helper()
	if !s.sse {
		line, err := s.lines.ReadString('\n')
		require.NoError(s.t, err, "read the stream after %q", line)
		return element{raw: line, Event: decodeAs[api.Event](s.t, line)}
	}
	frame := s.frame()
	if strings.HasPrefix(frame, ":") {
		return element{raw: frame, isHeartbeat: true}
	}
	e := element{raw: frame}
	named := ""
	for line := range strings.SplitSeq(strings.TrimSuffix(frame, "\n\n"), "\n") {
		field, value, ok := strings.Cut(line, ": ")
		require.True(s.t, ok, "line %q of %q", line, frame)
		switch field {
		case "event":
			named = value
		case "id":
			e.id = value
		case "data":
			e.Event = decodeAs[api.Event](s.t, value)
		default:
			require.Fail(s.t, "unknown field", "line %q of %q", line, frame)
		}
	}
	want := e.Type
	if e.Final != nil && !*e.Final {
		want = "corrupt" // a browser takes an event named error for a lost connection
	}
	require.Equal(s.t, want, named, "the event field of %q", frame)
	return e
}

// next reads the next element that is not a comment.
func (s *watchReader) next() element {
	s.t.Helper()
	for {
		if e := s.element(); !e.isHeartbeat {
			return e
		}
	}
}

// expect fails if the next events are not these, each as "type game revision".
func (s *watchReader) expect(want ...string) []element {
	s.t.Helper()
	var got []element
	for i, w := range want {
		e := s.next()
		got = append(got, e)
		require.Equal(s.t, w, e.brief(), "event %d of the stream: %s", i+1, e.raw)
	}
	return got
}

// expectChanges is expect without the bookmarks, which an idle stream has at any time.
func (s *watchReader) expectChanges(want ...string) []element {
	s.t.Helper()
	var got []element
	for len(got) < len(want) {
		e := s.next()
		if e.Type == api.TypeBookmark {
			continue
		}
		require.Equal(s.t, want[len(got)], e.brief(), "change %d of the stream: %s", len(got)+1, e.raw)
		got = append(got, e)
	}
	return got
}

// end fails if the stream does not end here.
func (s *watchReader) end() {
	s.t.Helper()
	rest, err := s.lines.ReadString(0)
	require.ErrorIs(s.t, err, io.EOF, "after the last element came %q", rest)
	require.Empty(s.t, rest, "after the last element")
}

// brief returns "type game revision", the parts that apply.
func (e element) brief() string {
	parts := []string{e.Type}
	if e.GameID != "" {
		parts = append(parts, e.GameID)
	}
	return strings.Join(append(parts, itoa(e.Revision)), " ")
}

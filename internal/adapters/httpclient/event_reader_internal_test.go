package httpclient

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// readAll returns the stream's events up to its end or first error, each encoded as the
// server would send it.
func readAll(t *testing.T, events *eventReader) ([]string, error) {
	t.Helper()
	var lines []string
	for {
		event, err := events.next()
		if err != nil {
			require.Zero(t, event, "an error has no event: %v", err)
			return lines, err
		}
		require.NotEmpty(t, event.Type, "the type of an event that was read")
		line, err := json.Marshal(event)
		require.NoError(t, err, "encode %+v, which was read", event)
		lines = append(lines, string(line))
	}
}

// Any bytes are read without a panic, and to the same events however they arrive. A
// truncated stream is read to a prefix of these events.
func FuzzEventReader(f *testing.F) {
	at := time.Date(2026, time.March, 1, 12, 0, 0, 1, time.UTC)
	record := runtime.RuntimeRecord{GameID: "g\n", Status: runtime.StatusRunning, CreatedAt: at, StartedAt: &at}
	final := false
	var stream bytes.Buffer
	for _, event := range []api.Event{
		{Type: "upserted", Revision: 7, GameID: "g\n", Before: &record, After: &record, Last: true},
		{Type: "bookmark", Revision: 1<<63 - 1, Last: true},
		{Type: api.TypeError, GameID: "g", Error: &api.Problem{Code: api.CodeCorrupt, Key: "/k", Reason: "r"}, Final: &final},
	} {
		require.NoError(f, json.NewEncoder(&stream).Encode(event))
	}
	f.Add(stream.Bytes(), uint(stream.Len()-9))
	f.Add([]byte("{\"type\":\"synced\"}x\n"), uint(17))
	for _, text := range []string{"", "\n \r\n", "garbage\n", "null\n", "{}\n", "[]\n", `{"type":""}`, `{"type":"synced"}`, "<html>\n", `{"type":"synced"}{"type":"synced"}` + "\n"} {
		f.Add([]byte(text), uint(3))
	}
	f.Fuzz(func(t *testing.T, stream []byte, cut uint) {
		lines, err := readAll(t, newEventReader(bytes.NewReader(stream)))
		require.Error(t, err)

		bytewise, errBytewise := readAll(t, newEventReader(iotest.OneByteReader(bytes.NewReader(stream))))
		require.Equal(t, lines, bytewise, "events of %q read byte by byte", stream)
		require.Equal(t, err.Error(), errBytewise.Error(), "end of %q read byte by byte", stream)

		reread, errReread := readAll(t, newEventReader(strings.NewReader("\n"+strings.Join(lines, "\n\n")+"\n")))
		require.EqualError(t, errReread, "EOF", "end of the events of %q sent a second time", stream)
		require.Equal(t, lines, reread, "events of %q sent a second time", stream)

		prefix, _ := readAll(t, newEventReader(bytes.NewReader(stream[:cut%uint(len(stream)+1)])))
		require.LessOrEqual(t, len(prefix), len(lines), "events of %q, cut", stream)
		for i, line := range prefix {
			require.Equal(t, lines[i], line, "event %d of %q, cut", i, stream)
		}
	})
}

package httpserver_test

import (
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/logtest"
)

// A valid id of the client identifies the request in the response and in the problem. Any
// other id is replaced.
func TestRequestID(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, id := range []string{"a", "4bf92f35-77b3.4da6_a3ce:929d", strings.Repeat("x", 64)} {
		got := f.send("GET", "/v1/runtimes/none", "X-Request-Id: "+id+"\r\n", "")
		require.Equal(t, id, got.Header.Get(api.HeaderRequestID))
		require.Equal(t, id, got.problem(t).RequestID)
	}
	seen := map[string]bool{}
	for _, header := range []string{
		"", "X-Request-Id: \r\n", "X-Request-Id: a b\r\n", "X-Request-Id: a\x01b\r\n", "X-Request-Id: ж\r\n", "X-Request-Id: a\"b\r\n",
		"X-Request-Id: " + strings.Repeat("x", 65) + "\r\n", "X-Request-Id: a\r\nX-Request-Id: b\r\n", "X-Request-Id: a, b\r\n",
	} {
		got := f.send("GET", "/v1/nothing", header, "")
		if got.StatusCode == http.StatusBadRequest && got.Header.Get(api.HeaderRequestID) == "" {
			require.Contains(t, header, "\x01", "net/http itself rejects a control character")
			continue
		}
		id := got.Header.Get(api.HeaderRequestID)
		require.Regexp(t, "^[A-Z2-7]{26}$", id, "%q", header)
		require.Equal(t, id, got.problem(t).RequestID)
		require.False(t, seen[id], "generated ids are unique")
		seen[id] = true
	}
}

func TestRequestIDIsInTheLog(t *testing.T) {
	t.Parallel()
	var log logtest.Buffer
	s := serve(t, newBlockingStore(), httpserver.Config{RequestTimeout: 50 * time.Millisecond, Logger: slog.New(slog.NewTextHandler(&log, nil))})
	s.send("GET", "/v1/runtimes/g", "X-Request-Id: id-of-the-test\r\n", "")
	require.Contains(t, log.String(), "request_id=id-of-the-test")
}

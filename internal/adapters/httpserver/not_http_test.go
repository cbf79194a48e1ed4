package httpserver_test

import (
	"bufio"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// net/http itself rejects what is not HTTP and closes the connection. Nothing is
// written, and the next client is served.
func TestRequestsThatAreNotHTTP(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{})
	body := "Content-Length: " + itoa(int64(len(runningRecord))) + "\r\n\r\n" + runningRecord
	for name, request := range map[string]string{
		"a broken escape in the path":    "PUT /v1/runtimes/%zz HTTP/1.1\r\nHost: localhost\r\n" + body,
		"half an escape in the path":     "PUT /v1/runtimes/g% HTTP/1.1\r\nHost: localhost\r\n" + body,
		"a raw control character":        "PUT /v1/runtimes/a\x01b HTTP/1.1\r\nHost: localhost\r\n" + body,
		"a space in the path":            "PUT /v1/runtimes/a b HTTP/1.1\r\nHost: localhost\r\n" + body,
		"no host":                        "PUT /v1/runtimes/g HTTP/1.1\r\n" + body,
		"two hosts":                      "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n" + body,
		"a header with a NUL":            "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nRtmanager-Actor: a\x00b\r\n" + body,
		"a header name with a space":     "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nIf Match: *\r\n" + body,
		"two lengths":                    "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n" + body,
		"a negative length":              "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
		"an unknown transfer encoding":   "PUT /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip\r\n\r\n" + runningRecord,
		"a method that is no token":      "P(T /v1/runtimes/g HTTP/1.1\r\nHost: localhost\r\n" + body,
		"a version that does not exist":  "PUT /v1/runtimes/g HTTP/9.9\r\nHost: localhost\r\n" + body,
		"no HTTP at all":                 "\x16\x03\x01\x00\xa5\x01\x00\x00\r\n\r\n",
		"the preface of HTTP/2 in clear": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
	} {
		conn := s.dial(request)
		got, err := readResponse(bufio.NewReader(conn))
		if err == nil {
			require.Contains(t, []int{400, http.StatusNotFound, http.StatusMisdirectedRequest, http.StatusNotImplemented, http.StatusHTTPVersionNotSupported}, got.StatusCode, "%s: %s", name, got.body)
			require.True(t, got.Close, "%s: the connection must be closed", name)
		}
		revision, err := s.store.Revision(t.Context())
		require.NoError(t, err)
		require.Equal(t, int64(1), revision, "%s must write nothing", name)
	}
	require.Equal(t, 200, s.send("GET", "/healthz", "", "").StatusCode)
}

// After a rejection the connection can be used: the next request is read from its start.
func TestConnectionsSurviveRejections(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	head := "Host: " + f.addr + "\r\nContent-Length: " + itoa(int64(len(runningRecord))) + "\r\n"
	conn := f.dial("PUT /v1/runtimes/%00 HTTP/1.1\r\n" + head + "\r\n" + runningRecord +
		"PUT /v1/runtimes/g HTTP/1.1\r\n" + head + "Content-Type: text/plain\r\n\r\n" + runningRecord +
		"PATCH /v1/runtimes/g HTTP/1.1\r\n" + head + "\r\n" + runningRecord +
		"PUT /v1/runtimes/g HTTP/1.1\r\n" + head + "Origin: https://evil.example\r\n\r\n" + runningRecord +
		"PUT /v1/runtimes/g HTTP/1.1\r\n" + head + "\r\n" + runningRecord)
	reader := bufio.NewReader(conn)
	for i, want := range []int{400, 415, 405, 403, 200} {
		got, err := readResponse(reader)
		require.NoError(t, err, "response %d", i+1)
		require.Equal(t, want, got.StatusCode, "response %d: %s", i+1, got.body)
	}
}

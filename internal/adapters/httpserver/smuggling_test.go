package httpserver_test

import (
	"bufio"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// smuggled is a request in what a proxy would forward as the body of another one.
const smuggled = "PUT /v1/runtimes/smuggled HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"

// A request whose end a proxy may determine in another way is either rejected, or the
// connection is closed after it. In no case is a part of it served as another request.
func TestRequestSmuggling(t *testing.T) {
	t.Parallel()
	chunkedRecord := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(runningRecord), runningRecord)
	for name, row := range map[string]struct {
		head, body string
		status     []int // any of them, or a closed connection
	}{
		"CL.TE":                          {"HTTP/1.1|Content-Length: 6|Transfer-Encoding: chunked", chunkedRecord, []int{200}},
		"TE.CL":                          {"HTTP/1.1|Transfer-Encoding: chunked|Content-Length: 6", chunkedRecord, []int{200}},
		"chunked alone":                  {"HTTP/1.1|Transfer-Encoding: chunked", chunkedRecord, []int{200}},
		"chunked in capitals":            {"HTTP/1.1|Transfer-Encoding: CHUNKED", chunkedRecord, []int{200, 501}},
		"HTTP/1.0 with TE":               {"HTTP/1.0|Connection: keep-alive|Transfer-Encoding: chunked", chunkedRecord, []int{400, 422, 501}},
		"two encodings":                  {"HTTP/1.1|Transfer-Encoding: chunked|Transfer-Encoding: chunked", chunkedRecord, []int{400, 501}},
		"list of encodings":              {"HTTP/1.1|Transfer-Encoding: chunked, identity", chunkedRecord, []int{400, 501}},
		"unknown encoding":               {"HTTP/1.1|Transfer-Encoding: xchunked", chunkedRecord, []int{400, 501}},
		"encoding with a space":          {"HTTP/1.1|Transfer-Encoding : chunked", chunkedRecord, []int{400}},
		"encoding after a tab":           {"HTTP/1.1|Transfer-Encoding:\tchunked", chunkedRecord, []int{200, 400, 501}},
		"encoding after a vertical tab":  {"HTTP/1.1|Transfer-Encoding:\vchunked", chunkedRecord, []int{400, 501}},
		"encoding in quotes":             {"HTTP/1.1|Transfer-Encoding: \"chunked\"", chunkedRecord, []int{400, 501}},
		"encoding with a NUL":            {"HTTP/1.1|Transfer-Encoding: chunked\x00", chunkedRecord, []int{400, 501}},
		"encoding after a folded line":   {"HTTP/1.1|X-A: b| Transfer-Encoding: chunked|Content-Length: 0", chunkedRecord, []int{400, 422}},
		"encoding before a bare CR":      {"HTTP/1.1|Transfer-Encoding: chunked\rX: y", chunkedRecord, []int{400, 501}},
		"encoding with an underscore":    {"HTTP/1.1|Transfer_Encoding: chunked|Content-Length: 0", "", []int{400}},
		"two lengths":                    {"HTTP/1.1|Content-Length: 0|Content-Length: 5", "{}   ", []int{400}},
		"list of lengths":                {"HTTP/1.1|Content-Length: 5, 5", "{}   ", []int{400}},
		"signed length":                  {"HTTP/1.1|Content-Length: +5", "{}   ", []int{400}},
		"length with an underscore":      {"HTTP/1.1|Content-Length: 0_5", "{}   ", []int{400}},
		"length in hex":                  {"HTTP/1.1|Content-Length: 0x5", "{}   ", []int{400}},
		"length beyond 64 bits":          {"HTTP/1.1|Content-Length: 18446744073709551621", "{}   ", []int{400}},
		"chunk size with a sign":         {"HTTP/1.1|Transfer-Encoding: chunked", "+5\r\n{}   \r\n0\r\n\r\n", []int{400}},
		"chunk size beyond 64 bits":      {"HTTP/1.1|Transfer-Encoding: chunked", "10000000000000005\r\n{}   \r\n0\r\n\r\n", []int{400}},
		"chunk without its CRLF":         {"HTTP/1.1|Transfer-Encoding: chunked", "5\r\n{}   0\r\n\r\n", []int{400}},
		"chunk size before a bare LF":    {"HTTP/1.1|Transfer-Encoding: chunked", "5\n{}   \n0\n\n", []int{400}},
		"chunk extension with a bare LF": {"HTTP/1.1|Transfer-Encoding: chunked", "5;\n\r\n{}   \r\n0\r\n\r\n", []int{400}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, memstore.New(), httpserver.Config{})
			head := strings.Split(row.head, "|")
			request := "PUT /v1/runtimes/g " + head[0] + "\r\nHost: localhost\r\n" + strings.Join(head[1:], "\r\n") + "\r\n\r\n" + row.body
			reader := bufio.NewReader(s.dial(request + smuggled))
			first, err := readResponse(reader)
			if err == nil {
				require.Contains(t, row.status, first.StatusCode, first.body)
				second, errSecond := readResponse(reader)
				switch {
				case first.Close:
					require.Error(t, errSecond, "the rest of the connection must not be served")
				case row.body == "": // the request ends at its head: the next one is no part of it
					require.NoError(t, errSecond)
					return
				default:
					require.NoError(t, errSecond)
					require.Equal(t, 400, second.StatusCode, "the rest is no request, so net/http closes the connection")
				}
			}
			require.Equal(t, 404, s.send("GET", "/v1/runtimes/smuggled", "", "").StatusCode)
		})
	}
}

// A request for another host in its first line, or to a proxy, is for the host of the first
// line, and not for that of the Host header.
func TestProxyRequests(t *testing.T) {
	t.Parallel()
	s := serve(t, memstore.New(), httpserver.Config{})
	for request, want := range map[string][]int{
		"GET http://evil.example/v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                {421},
		"GET http://localhost@evil.example/v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":      {421},
		"GET http://localhost/v1/runtimes HTTP/1.1\r\nHost: evil.example\r\n\r\n":                {200},
		"GET //evil.example/v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                     {404},
		"GET http:///v1/runtimes HTTP/1.1\r\nHost: evil.example\r\n\r\n":                         {400, 421},
		"GET localhost/v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                          {400},
		"CONNECT etcd.internal:2379 HTTP/1.1\r\nHost: localhost\r\n\r\n":                         {404, 405, 421},
		"CONNECT /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                               {400, 405},
		"TRACE /v1/runtimes HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer t\r\n\r\n":      {405},
		"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n":                                          {404},
		"OPTIONS * HTTP/1.1\r\nHost: evil.example\r\n\r\n":                                       {421},
		"OPTIONS /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                               {204},
		"GET /v1/runtimes HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n":             {400},
		"GET /v1/runtimes HTTP/1.1\r\nHost: localhost, evil.example\r\n\r\n":                     {400, 421},
		"GET /v1/runtimes HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: localhost\r\n\r\n": {421},
		"GET /v1/runtimes HTTP/1.1\nHost: localhost\n\n":                                         {200},
		"GET /v1/runtimes HTTP/1.1\nHost: evil.example\n\n":                                      {421},
		"GET /v1/runtimes HTTP/1.1\r\nHost: localhost\rX: y\r\n\r\n":                             {400},
		"PROPFIND /v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                              {405},
		"GET\t/v1/runtimes HTTP/1.1\r\nHost: localhost\r\n\r\n":                                  {400},
	} {
		response, err := readResponse(bufio.NewReader(s.dial(request)))
		require.NoError(t, err, "%q", request)
		require.Contains(t, want, response.StatusCode, "%q: %s", request, response.body)
		require.NotContains(t, response.body, "Bearer", "a response must not have the headers of its request")
		if response.StatusCode == http.StatusOK {
			continue
		}
		require.False(t, slices.Contains([]string{"*", "evil.example"}, response.Header.Get("Access-Control-Allow-Origin")))
	}
}

// The headers of a client cannot replace those that the server sets by its own knowledge.
func TestForwardedAddressesAreIgnored(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	f := start(t, httpserver.Config{Audit: a})
	headers := "X-Forwarded-For: 203.0.113.9\r\nX-Real-Ip: 203.0.113.9\r\nForwarded: for=203.0.113.9\r\nTrue-Client-Ip: 203.0.113.9\r\n"
	require.Equal(t, 200, f.send("PUT", bodyPut, headers, runningRecord).StatusCode)
	require.Equal(t, "127.0.0.1", a.last(1).RemoteAddr)
	got := f.send("POST", "/v1/runtimes/g/stop", "X-Http-Method-Override: GET\r\nX-Original-Url: /healthz\r\nX-Rewrite-Url: /healthz\r\n", "")
	require.NotEqual(t, 200, got.StatusCode)
	require.NotEqual(t, api.CodeNoSuchRoute, got.problem(t).Code)
}

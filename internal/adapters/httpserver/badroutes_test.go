package httpserver_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
)

// invalidRoutes returns paths without a route, games without a record, and methods that
// a path does not offer.
func invalidRoutes() []invalidRequest {
	var rows []invalidRequest
	for _, path := range []string{
		"/", "/v1", "/v1/", "/v2/runtimes", "/v1/runtime", "/V1/runtimes", "/v1/watch/", "/v1//watch", "/v1/../metrics", "/v1/./cluster",
		"/v1/runtimes/g/none", "/v1/runtimes/g/history/1", "/v1/runtimes/a/b/status", "/v1/nodes/n1", "/v1/runtimes/g/explain/1", "/v1/drift/none", "/index.html", "/favicon.ico",
		"/schemas/RuntimeRecord.json", "/docs", "/healthz/x", "/metrics/", "/%2e%2e/etc/passwd", "/v1/watch%2F", "/v1/%72untimes/g/x", "//",
	} {
		rows = append(rows, invalidRequest{"route GET " + path, "GET", path, "", "", 404, api.CodeNoSuchRoute, ""})
	}
	for _, bad := range []struct{ method, path string }{
		{"DELETE", "/v1/runtimes/g"}, {"PATCH", "/v1/runtimes/g"}, {"POST", "/v1/runtimes/g"}, {"OPTIONS", "/v1/runtimes/g"}, {"TRACE", "/v1/runtimes/g"},
		{"PUT", "/v1/runtimes"}, {"POST", "/v1/runtimes"}, {"DELETE", "/v1/runtimes"}, {"QUERY", "/v1/runtimes"}, {"get", "/v1/runtimes"},
		{"GET", "/v1/runtimes/g/status"}, {"PUT", "/v1/runtimes/g/status"}, {"POST", "/v1/runtimes/g/history"},
		{"POST", "/v1/watch"}, {"PUT", "/v1/cluster"}, {"POST", "/v1/fsck"}, {"GET", "/v1/fsck/repair"},
		{"POST", "/healthz"}, {"DELETE", "/readyz"}, {"POST", "/metrics"}, {"PUT", "/openapi.json"},
	} {
		rows = append(rows, invalidRequest{"method " + bad.method + " " + bad.path, bad.method, bad.path, "", "", 405, api.CodeMethodNotAllowed, ""})
	}
	return append(rows,
		invalidRequest{"game that is not there", "GET", "/v1/runtimes/none", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"game in another case", "GET", "/v1/runtimes/G", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"game with the mark of the mux", "GET", "/v1/runtimes/~g", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"history of a game that is not there", "GET", "/v1/runtimes/none/history", "", "", 404, api.CodeNotFound, ""},
	)
}

// foreignOrigins returns requests that a web page of another origin can make.
func foreignOrigins() []invalidRequest {
	var rows []invalidRequest
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "0.0.0.0", "[::]", "169.254.169.254", "localhost:80:80"} {
		rows = append(rows, invalidRequest{"host " + host, "GET", "/v1/runtimes", "Host: " + host + "\r\n", "", 421, api.CodeHostRefused, ""})
	}
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/v1/runtimes/g", ""}, {"GET", "/v1/runtimes/g/history", ""}, {"GET", "/v1/watch", ""}, {"GET", "/v1/cluster", ""}, {"GET", "/v1/fsck", ""},
		{"GET", "/healthz", ""}, {"GET", "/readyz", ""}, {"GET", "/metrics", ""}, {"GET", "/openapi.json", ""}, {"GET", "/none", ""},
		{"PUT", bodyPut, runningRecord}, {"POST", bodyPost, stopChange}, {"POST", "/v1/fsck/repair", ""},
	} {
		rows = append(rows, invalidRequest{"foreign host for " + call.method + " " + call.path, call.method, call.path, "Host: evil.example\r\n", call.body, 421, api.CodeHostRefused, ""})
	}
	for _, headers := range []string{
		"Sec-Fetch-Site: cross-site", "Sec-Fetch-Site: same-site", "Origin: https://evil.example", "Origin: null", "Origin: http://127.0.0.1:1",
		"Origin: http://localhost.evil.example\r\nContent-Type: text/plain",
	} {
		for _, call := range []struct{ method, path, body string }{{"PUT", bodyPut, runningRecord}, {"POST", bodyPost, stopChange}, {"POST", "/v1/fsck/repair", ""}} {
			rows = append(rows, invalidRequest{"from " + strings.ReplaceAll(headers, "\r\n", ", ") + ": " + call.method + " " + call.path,
				call.method, call.path, headers + "\r\n", call.body, 403, api.CodeCrossOrigin, ""})
		}
	}
	return rows
}

// The server accepts every loopback name of this machine, and writes by programs, which
// send no browser headers.
func TestGuardLetsThisMachineIn(t *testing.T) {
	t.Parallel()
	f := startWithRecords(t, httpserver.Config{})
	for _, host := range []string{"localhost", "LOCALHOST:8080", "127.0.0.1", "127.9.9.9:1", "[::1]", "[::1]:8080", "[::ffff:127.0.0.1]:80"} {
		got := f.send("GET", "/v1/runtimes/g", "Host: "+host+"\r\n", "")
		require.Equal(t, 200, got.StatusCode, "Host %s: %s", host, got.body)
	}
	for _, headers := range []string{"", "Sec-Fetch-Site: same-origin\r\n", "Sec-Fetch-Site: none\r\n", "Origin: http://" + f.addr + "\r\n"} {
		got := f.send("PUT", bodyPut, headers, runningRecord)
		require.Equal(t, 200, got.StatusCode, "%q: %s", headers, got.body)
	}
	open := start(t, httpserver.Config{InsecureHosts: true})
	require.Equal(t, 200, open.send("GET", "/v1/runtimes", "Host: games.example\r\n", "").StatusCode, "with InsecureHosts")
}

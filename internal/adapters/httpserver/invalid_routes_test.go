package httpserver_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// invalidIDs sends ids that no game can have to every route with an id.
func invalidIDs() []invalidRequest {
	var rows []invalidRequest
	for name, segment := range map[string]string{
		"empty":                "",
		"space":                "%20",
		"tab":                  "%09",
		"no-break space":       "%C2%A0",
		"ideographic space":    "%E3%80%80",
		"dot":                  ".",
		"two dots":             "..",
		"escaped dot":          "%2E",
		"escaped two dots":     "%2e%2E",
		"NUL":                  "%00",
		"NUL at the end":       "g%00",
		"line feed":            "a%0Ab",
		"DEL":                  "%7F",
		"C1 control":           "%C2%85",
		"not UTF-8":            "%FF",
		"half a character":     "g%C3",
		"overlong slash":       "%C0%AF",
		"surrogate in UTF-8":   "%ED%A0%80",
		"257 bytes":            strings.Repeat("x", 257),
		"129 letters of two":   strings.Repeat("%C3%A9", 129),
		"64 KiB short of that": strings.Repeat("y", 16<<10),
		"two segments, a dot":  "a/./b",
		"a doubled slash":      "a//b",
		"a slash at the end":   "a/",
	} {
		for _, call := range []struct{ method, suffix, body string }{
			{"GET", "", ""}, {"GET", "/history", ""}, {"PUT", "", runningRecord}, {"POST", "/status", stopChange},
		} {
			row := invalidRequest{
				name: "id " + name + ": " + call.method + call.suffix, method: call.method,
				path: "/v1/runtimes/" + segment + call.suffix, body: call.body,
				status: 400, code: api.CodeInvalid, at: "path.game_id",
			}
			if strings.HasSuffix(row.path, "/") {
				row.status, row.code, row.at = 404, api.CodeNoSuchRoute, ""
			}
			rows = append(rows, row)
		}
	}
	return rows
}

// Ids are compared as bytes: two encodings of the same letter are two games.
func TestGameIDsAreNotNormalised(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for i, id := range []string{"\u00e9", "e\u0301", "E\u0301", "\u202eabc", "abc"} {
		put := f.send("PUT", "/v1/runtimes/"+url.PathEscape(id), "If-None-Match: *\r\n", runningRecord)
		require.Equal(t, 200, put.StatusCode, "%+q must be a game of its own: %s", id, put.body)
		require.Equal(t, id, decodeAs[runtime.RuntimeRecord](t, put.body).GameID)
		all, err := f.store.List(t.Context())
		require.NoError(t, err)
		require.Len(t, all, i+1)
	}
}

// The longest id, with characters of each length in UTF-8.
func TestLongestGameIDs(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, id := range []string{
		strings.Repeat("x", runtime.MaxGameIDBytes), strings.Repeat("é", runtime.MaxGameIDBytes/2),
		strings.Repeat("🎮", runtime.MaxGameIDBytes/4), strings.Repeat("%", runtime.MaxGameIDBytes),
	} {
		path := "/v1/runtimes/" + url.PathEscape(id)
		require.Equal(t, 200, f.send("PUT", path, "", runningRecord).StatusCode, "PUT %s", path)
		require.Equal(t, id, decodeAs[runtime.RuntimeRecord](t, f.send("GET", path, "", "").body).GameID)
	}
}

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
		{"DELETE", "/v1/runtimes/g/history"}, {"PATCH", "/v1/runtimes/g"}, {"POST", "/v1/runtimes/g"}, {"TRACE", "/v1/runtimes/g"},
		{"PUT", "/v1/runtimes"}, {"POST", "/v1/runtimes"}, {"DELETE", "/v1/runtimes"}, {"QUERY", "/v1/runtimes"}, {"get", "/v1/runtimes"},
		{"GET", "/v1/runtimes/g/status"}, {"PUT", "/v1/runtimes/g/status"}, {"POST", "/v1/runtimes/g/history"},
		{"POST", "/v1/watch"}, {"PUT", "/v1/cluster"}, {"POST", "/v1/fsck"}, {"GET", "/v1/fsck/repair"},
		{"POST", "/healthz"}, {"DELETE", "/readyz"}, {"POST", "/metrics"}, {"PUT", "/openapi.json"},
	} {
		rows = append(rows, invalidRequest{"method " + bad.method + " " + bad.path, bad.method, bad.path, "", "", 405, api.CodeMethodNotAllowed, ""})
	}
	return append(rows,
		invalidRequest{"game without a record", "GET", "/v1/runtimes/none", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"game in another case", "GET", "/v1/runtimes/G", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"game with a tilde", "GET", "/v1/runtimes/~g", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"deletion of a game without a record", "DELETE", "/v1/runtimes/none", "", "", 404, api.CodeNotFound, ""},
		invalidRequest{"deletion of a running game", "DELETE", "/v1/runtimes/g", "", "", 409, api.CodeRejected, ""},
		invalidRequest{"deletion at another revision", "DELETE", "/v1/runtimes/g", "If-Match: \"999\"\r\n", "", 412, api.CodePreconditionFailed, ""},
		invalidRequest{"deletion at several other revisions", "DELETE", "/v1/runtimes/g", "If-Match: \"998\", \"999\"\r\n", "", 412, api.CodePreconditionFailed, ""},
		invalidRequest{"deletion with If-None-Match", "DELETE", "/v1/runtimes/g", "If-None-Match: *\r\n", "", 400, api.CodeInvalid, "header.If-None-Match"},
		invalidRequest{"deletion with a wrong ETag", "DELETE", "/v1/runtimes/g", "If-Match: 7\r\n", "", 400, api.CodeInvalid, "header.If-Match"},
		invalidRequest{"history of a game without a record", "GET", "/v1/runtimes/none/history", "", "", 404, api.CodeNotFound, ""},
	)
}

// foreignOrigins returns requests that a web page of another origin can make.
func foreignOrigins() []invalidRequest {
	var rows []invalidRequest
	for _, host := range []string{"evil.example", "evil.example:8080", "127.0.0.1.evil.example", "localhost.evil.example", "10.0.0.1", "0.0.0.0", "[::]", "169.254.169.254", "localhost:80:80"} {
		rows = append(rows, invalidRequest{"host " + host, "GET", "/v1/runtimes", "Host: " + host + "\r\n", "", 421, api.CodeHostRejected, ""})
	}
	for _, call := range []struct{ method, path, body string }{
		{"GET", "/v1/runtimes/g", ""}, {"GET", "/v1/runtimes/g/history", ""}, {"GET", "/v1/watch", ""}, {"GET", "/v1/cluster", ""}, {"GET", "/v1/fsck", ""},
		{"GET", "/healthz", ""}, {"GET", "/readyz", ""}, {"GET", "/metrics", ""}, {"GET", "/openapi.json", ""}, {"GET", "/none", ""},
		{"PUT", bodyPut, runningRecord}, {"POST", bodyPost, stopChange}, {"POST", "/v1/fsck/repair", ""},
	} {
		rows = append(rows, invalidRequest{"foreign host for " + call.method + " " + call.path, call.method, call.path, "Host: evil.example\r\n", call.body, 421, api.CodeHostRejected, ""})
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
func TestLoopbackNamesAreAccepted(t *testing.T) {
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

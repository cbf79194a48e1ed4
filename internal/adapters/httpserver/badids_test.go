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
			rows = append(rows, invalidRequest{
				name: "id " + name + ": " + call.method + call.suffix, method: call.method,
				path: "/v1/runtimes/" + segment + call.suffix, body: call.body,
				status: 400, code: api.CodeInvalid, at: "path.game_id",
			})
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

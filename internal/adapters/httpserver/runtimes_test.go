package httpserver_test

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

func TestRecordLife(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})

	put := f.send("PUT", "/v1/runtimes/g1", "", runningRecord)
	require.Equal(t, http.StatusOK, put.StatusCode, put.body)
	require.Equal(t, `"2"`, put.Header.Get("ETag"))
	require.NotEmpty(t, put.Header.Get("Rtmanager-Store"))
	require.Equal(t, "g1", decodeAs[runtime.RuntimeRecord](t, put.body).GameID)

	get := f.send("GET", "/v1/runtimes/g1", "", "")
	require.Equal(t, put.body, get.body)
	require.Equal(t, `"2"`, get.Header.Get("ETag"))

	changed := f.send("POST", "/v1/runtimes/g1/status", "Rtmanager-Actor: UTF-8''J%C3%B6rg\r\nIdempotency-Key: op-1\r\n", stopChange)
	require.Equal(t, http.StatusOK, changed.StatusCode, changed.body)
	require.Equal(t, `"3"`, changed.Header.Get("ETag"))
	require.Equal(t, runtime.StatusStopped, decodeAs[runtime.RuntimeRecord](t, changed.body).Status)

	repeated := f.send("POST", "/v1/runtimes/g1/status", "Idempotency-Key: op-1\r\n", stopChange)
	require.Equal(t, http.StatusOK, repeated.StatusCode, "a repeated operation id must return the first result: %s", repeated.body)
	require.Equal(t, `"3"`, repeated.Header.Get("ETag"))

	lost := f.send("POST", "/v1/runtimes/g1/status", "", stopChange)
	require.Equal(t, http.StatusConflict, lost.StatusCode)
	conflict := lost.problem(t)
	require.Equal(t, "conflict status running stopped 3", strings.Join([]string{string(conflict.Code), string(conflict.Precondition),
		conflict.Expected, conflict.Actual, fmt.Sprint(conflict.Revision)}, " "))
	require.Equal(t, runtime.StatusStopped, conflict.Current.Status)

	history := decodeAs[api.History](t, f.send("GET", "/v1/runtimes/g1/history", "", "").body)
	require.Len(t, history.Items, 2)
	require.Equal(t, "op-1 Jörg maintenance stopped", strings.Join([]string{history.Items[0].OperationID,
		history.Items[0].Actor, history.Items[0].Reason, string(history.Items[0].To)}, " "))
}

func TestStatusUsesTheServersClockWithoutNow(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.Equal(t, 200, f.send("PUT", "/v1/runtimes/g", "", runningRecord).StatusCode)
	changed := f.send("POST", "/v1/runtimes/g/status", "", `{"expected_from":"running","to":"stopped"}`)
	require.Equal(t, http.StatusOK, changed.StatusCode, changed.body)
	record := decodeAs[runtime.RuntimeRecord](t, changed.body)
	require.True(t, record.StoppedAt.After(record.CreatedAt), "stopped_at %s", record.StoppedAt)
}

// Ids that survive a URL only if it is decoded exactly once.
func TestGameIDsAreReturnedUnchanged(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, id := range []string{
		"plain", "a/b", "/", "//", "/a/", "%2F", "%252F", "%", "a%b", "🎮", "é", "e\u0301", "שלום", "a b", " a", "a+b", "~", "~a", "...",
		"../x", "a?b=c#d", "{game_id}", "history", "status", ".a", "a;b", `"q"`, "<b>", strings.Repeat("x", 256),
	} {
		path := "/v1/runtimes/" + url.PathEscape(id)
		put := f.send("PUT", path, "", runningRecord)
		require.Equal(t, http.StatusOK, put.StatusCode, "PUT %q as %s: %s", id, path, put.body)
		got := f.send("GET", path, "", "")
		require.Equal(t, id, decodeAs[runtime.RuntimeRecord](t, got.body).GameID, "GET %s", path)
		require.Equal(t, http.StatusOK, f.send("GET", path+"/history", "", "").StatusCode, "history of %q", id)
		changed := f.send("POST", path+"/status", "", stopChange)
		require.Equal(t, http.StatusOK, changed.StatusCode, "status of %q: %s", id, changed.body)
		_, err := f.store.Get(t.Context(), id)
		require.NoError(t, err, "the store must have %q by its exact id", id)
	}
}

func TestConditionalRequests(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	for _, step := range []struct {
		method, headers string
		status          int
		etag            string
	}{
		{"PUT", "If-Match: *\r\n", 412, ""},
		{"PUT", "If-Match: \"2\"\r\n", 412, ""},
		{"PUT", "If-None-Match: *\r\n", 200, `"2"`},
		{"PUT", "If-None-Match: *\r\n", 412, ""},
		{"PUT", "If-Match: \"2\"\r\n", 200, `"3"`},
		{"PUT", "If-Match: \"2\"\r\n", 412, ""},
		{"PUT", "If-Match: *\r\n", 200, `"4"`},
		{"PUT", "If-Match: \"2\", \"4\"\r\n", 200, `"5"`},
		{"PUT", "If-Match: \"2\", \"4\"\r\n", 412, ""},
		{"GET", "If-None-Match: \"5\"\r\n", 304, `"5"`},
		{"GET", "If-None-Match: W/\"5\", \"10\"\r\n", 304, `"5"`},
		{"GET", "If-None-Match: *\r\n", 304, `"5"`},
		{"GET", "If-None-Match: \"4\"\r\n", 200, `"5"`},
		{"GET", "If-None-Match: nonsense\r\n", 200, `"5"`},
		{"HEAD", "", 200, `"5"`},
		{"HEAD", "If-None-Match: \"5\"\r\n", 304, `"5"`},
	} {
		body := ""
		if step.method == "PUT" {
			body = runningRecord
		}
		got := f.send(step.method, "/v1/runtimes/g", step.headers, body)
		require.Equal(t, step.status, got.StatusCode, "%s %s: %s", step.method, step.headers, got.body)
		require.Equal(t, step.etag, got.Header.Get("ETag"), "%s %s", step.method, step.headers)
		if step.status == 412 {
			p := got.problem(t)
			require.Equal(t, api.CodePreconditionFailed, p.Code)
			require.Equal(t, runtime.PreconditionRevision, p.Precondition)
		}
		if step.status == 304 {
			require.Empty(t, got.body)
		}
	}
}

func TestListPagesHaveOneRevision(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	empty := f.send("GET", "/v1/runtimes", "", "")
	require.Contains(t, empty.body, `"items":[]`)
	require.NotContains(t, empty.body, "corrupt")
	for i := range 5 {
		require.Equal(t, 200, f.send("PUT", fmt.Sprintf("/v1/runtimes/g%d", i), "", runningRecord).StatusCode)
	}
	first := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit=2&region=eu", "", "").body)
	require.Len(t, first.Items, 2)
	require.Equal(t, []int64{2, 3}, first.ItemRevisions)
	require.Equal(t, 200, f.send("PUT", "/v1/runtimes/g9", "", runningRecord).StatusCode)

	seen, next := len(first.Items), first.Continue
	for next != "" {
		page := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit=2&region=eu&continue="+next, "", "").body)
		require.Equal(t, first.Revision, page.Revision, "all pages have the revision of the first")
		seen, next = seen+len(page.Items), page.Continue
	}
	require.Equal(t, 5, seen, "a record written after the first page is not in this list")
	local := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?consistency=local&status=running", "", "").body)
	require.Len(t, local.Items, 6)
	past := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?revision=3", "", "").body)
	require.Len(t, past.Items, 2)
}

func TestContinueTokens(t *testing.T) {
	t.Parallel()
	f, other := start(t, httpserver.Config{}), start(t, httpserver.Config{})
	for i := range 3 {
		require.Equal(t, 200, f.send("PUT", fmt.Sprintf("/v1/runtimes/g%d", i), "", runningRecord).StatusCode)
		require.Equal(t, 200, other.send("PUT", fmt.Sprintf("/v1/runtimes/g%d", i), "", runningRecord).StatusCode)
	}
	token := decodeAs[api.Page](t, f.send("GET", "/v1/runtimes?limit=1", "", "").body).Continue
	require.NotEmpty(t, token)
	flipped := []byte(token)
	flipped[3] ^= 1
	for name, path := range map[string]string{
		"forged":         "/v1/runtimes?limit=1&continue=" + url.QueryEscape(string(flipped)),
		"other filters":  "/v1/runtimes?limit=1&status=running&continue=" + token,
		"other revision": "/v1/runtimes?limit=1&revision=1&continue=" + token,
		"cut short":      "/v1/runtimes?limit=1&continue=" + token[:len(token)-2],
	} {
		p := f.send("GET", path, "", "").problem(t)
		require.Equal(t, 400, p.Status, name)
		require.Equal(t, "query.continue", p.Errors[0].Location, name)
	}
	p := other.send("GET", "/v1/runtimes?limit=1&continue="+token, "", "").problem(t)
	require.Equal(t, "query.continue", p.Errors[0].Location, "a token of another store")

	require.Equal(t, 200, f.send("PUT", "/v1/runtimes/g0", "", runningRecord).StatusCode)
	expiredAt, err := f.store.Revision(t.Context())
	require.NoError(t, err)
	require.NoError(t, f.store.Compact(expiredAt))
	expired := f.send("GET", "/v1/runtimes?limit=1&continue="+token, "", "")
	require.Equal(t, http.StatusGone, expired.StatusCode, expired.body)
	require.Equal(t, api.CodeCompacted, expired.problem(t).Code)
}

// A local read names its revision, with and without a record.
func TestLocalReads(t *testing.T) {
	t.Parallel()
	f := start(t, httpserver.Config{})
	require.NoError(t, f.store.Upsert(t.Context(), recordOf("a")))
	found := f.send("GET", "/v1/runtimes/a?consistency=local", "", "")
	require.Equal(t, http.StatusOK, found.StatusCode, found.body)
	require.Equal(t, `"2"`, found.Header.Get("ETag"))
	require.Equal(t, "2", found.Header.Get("Rtmanager-As-Of"))
	missing := f.send("GET", "/v1/runtimes/b?consistency=local", "", "")
	require.Equal(t, http.StatusNotFound, missing.StatusCode)
	require.Equal(t, "2", missing.Header.Get("Rtmanager-As-Of"))
	require.Empty(t, f.send("GET", "/v1/runtimes/a", "", "").Header.Get("Rtmanager-As-Of"), "a linearizable read is as of now")
	require.Equal(t, http.StatusOK, f.send("GET", "/v1/runtimes?consistency=local", "", "").StatusCode)
	require.Equal(t, http.StatusBadRequest, f.send("GET", "/v1/runtimes/a?consistency=eventual", "", "").StatusCode)
}

func TestReadyNamesFailedConditions(t *testing.T) {
	t.Parallel()
	missing := errors.New("not yet")
	f := start(t, httpserver.Config{Ready: map[string]func() error{"cache": func() error { return missing }}})
	unready := f.send("GET", "/readyz", "", "")
	require.Equal(t, http.StatusServiceUnavailable, unready.StatusCode)
	require.Contains(t, unready.body, `{"name":"cache","ok":false,"error":"not yet"}`)
}

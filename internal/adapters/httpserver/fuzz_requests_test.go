package httpserver_test

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/memstore"
)

// A store accepts only tokens that it has made.
func FuzzContinue(f *testing.F) {
	h := newTarget(f, memstore.New())
	for _, id := range []string{"a", "b", "c"} {
		require.NoError(f, h.store.Upsert(f.Context(), recordOf(id)))
	}
	given := decodeAs[api.Page](f, h.send(f, "GET", "/v1/runtimes?limit=2", nil, nil).Body.String()).Continue
	require.NotEmpty(f, given)
	payload, seal, _ := strings.Cut(given, ".")
	for _, seed := range []string{given, "", ".", payload, payload + ".", "." + seal, payload + "." + payload, given + "=", given + ".", given + "\n", strings.ToUpper(given), "é.é"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		got := h.send(t, "GET", "/v1/runtimes?limit=2&continue="+url.QueryEscape(token), nil, nil)
		if token == given || token == "" {
			require.Equal(t, http.StatusOK, got.Code, got.Body)
			return
		}
		require.Equal(t, http.StatusBadRequest, got.Code, "%q is not a token of this store, but was accepted", token)
		require.Equal(t, "query.continue", faultLocations(decodeAs[api.Problem](t, got.Body.String())))
	})
}

// Any id is returned unchanged, or rejected. No id names another game.
func FuzzGameID(f *testing.F) {
	for _, id := range []string{"g", "", " ", ".", "..", "a/b", "%2F", "~", "\x00", "\xff", "🎮", strings.Repeat("x", 257)} {
		f.Add(id)
	}
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, id string) {
		before := h.revision(t)
		path := "/v1/runtimes/" + url.PathEscape(id)
		got := h.send(t, "PUT", path, nil, []byte(runningRecord))
		if runtime.ValidateGameID(id) != nil {
			want := http.StatusBadRequest
			if id == "" {
				want = http.StatusNotFound // the path ends with a slash
			}
			require.Equal(t, want, got.Code, "%q", id)
			require.Equal(t, before, h.revision(t))
			return
		}
		require.Equal(t, http.StatusOK, got.Code, "%q: %s", id, got.Body)
		require.Equal(t, id, decodeAs[runtime.RuntimeRecord](t, got.Body.String()).GameID)
		require.Equal(t, got.Body.String(), h.send(t, "GET", path, nil, nil).Body.String())
		history := h.send(t, "GET", path+"/history", nil, nil)
		require.Equal(t, http.StatusOK, history.Code, "%q: %s", id, history.Body)
		require.Equal(t, http.StatusOK, h.send(t, "POST", path+"/status", nil, []byte(stopChange)).Code)
		_, err := h.store.Get(t.Context(), id)
		require.NoError(t, err, "the store must have the game by its exact id")
		h.store.DeleteKeys(id)
	})
}

// Any path and query gets a response or is rejected, and is never redirected.
func FuzzRequestTarget(f *testing.F) {
	for _, row := range invalidRequests("a store") {
		if row.method == "GET" && !strings.HasPrefix(row.path, "/v1/watch") && len(row.path) <= 1024 {
			f.Add(row.path)
		}
	}
	f.Add("/v1/runtimes?limit=10&status=running&region=eu")
	f.Add("/v1/runtimes/%F0%9F%8E%AE/history")
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, target string) {
		parsed, err := url.ParseRequestURI(target)
		if err != nil || parsed.Host != "" || parsed.Scheme != "" || parsed.Path == "/v1/watch" {
			return // net/http rejects the first, a client never sends the next two, and the last would not end
		}
		got := h.send(t, "GET", target, nil, nil)
		require.Contains(t, []int{200, 400, 404, 405, 410}, got.Code, target)
	})
}

// If-Match allows a write only if it is a list of tags with the current one, or a star.
func FuzzIfMatch(f *testing.F) {
	for _, seed := range []string{`"2"`, `"2", "3"`, "*", "", `W/"2"`, `"2`, `"-2"`, `"02"`, ",", `"2",`, `"9223372036854775808"`, "\u00a0\"2\"", `"2"; x`} {
		f.Add(seed)
	}
	h := newTarget(f, memstore.New())
	f.Fuzz(func(t *testing.T, value string) {
		require.NoError(t, h.store.Upsert(t.Context(), recordOf("g")))
		present := h.revision(t)
		// the revision is different every time; the seeds write it as 2
		value = strings.ReplaceAll(value, "2", itoa(present))
		got := h.send(t, "PUT", bodyPut, http.Header{"If-Match": {value}}, []byte(runningRecord))
		wellFormed, matches := parseIfMatch(value, present)
		switch {
		case !wellFormed:
			require.Equal(t, http.StatusBadRequest, got.Code, "If-Match: %q", value)
		case matches:
			require.Equal(t, http.StatusOK, got.Code, "If-Match: %q at %d", value, present)
		default:
			require.Equal(t, http.StatusPreconditionFailed, got.Code, "If-Match: %q at %d", value, present)
		}
		read := h.send(t, "GET", bodyPut, http.Header{"If-None-Match": {value}}, nil)
		require.Contains(t, []int{200, 304}, read.Code, "a read accepts any If-None-Match; this one was %q", value)
	})
}

// parseIfMatch parses the header by its grammar, independently of the server.
func parseIfMatch(value string, present int64) (wellFormed, matches bool) {
	if value == "" || value == "*" {
		return true, true
	}
	var tags []int64
	for _, tag := range strings.Split(value, ",") {
		tag = strings.TrimSpace(tag)
		if len(tag) < 3 || tag[0] != '"' || tag[len(tag)-1] != '"' || strings.Trim(tag[1:len(tag)-1], "0123456789") != "" || tag[1] == '0' {
			return false, false
		}
		revision, err := strconv.ParseInt(tag[1:len(tag)-1], 10, 64)
		if err != nil {
			return false, false
		}
		tags = append(tags, revision)
	}
	return true, slices.Contains(tags, present)
}

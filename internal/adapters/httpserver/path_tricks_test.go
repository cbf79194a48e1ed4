package httpserver_test

import (
	"net/url"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/runtime"
)

// trickyPaths are spellings of a path that a proxy, the authorization or the router could
// each understand in another way. SECRET is the game that the caller may not use, and mine
// the one that it may.
var trickyPaths = []string{
	"/v1/runtimes/mine/../SECRET", "/v1/runtimes/mine/%2e%2e/SECRET", "/v1/runtimes/mine/%2E./SECRET", "/v1/runtimes/mine%2F..%2FSECRET",
	"/v1/runtimes/mine%2f%2e%2e%2fSECRET", "/v1/runtimes/mine%252F..%252FSECRET", "/v1/runtimes/./SECRET", "/v1/runtimes/%2e/SECRET",
	"//v1/runtimes/SECRET", "/v1//runtimes/SECRET", "/v1/runtimes//SECRET", "///SECRET", "/v1/runtimes/SECRET/", "/v1/runtimes/SECRET//",
	"/v1/runtimes/mine;/SECRET", "/v1/runtimes/SECRET;mine", "/v1/runtimes/mine;x=/../SECRET", "/v1/runtimes/SECRET;", "/v1;/runtimes/SECRET",
	"/v1/runtimes/SECRET%00", "/v1/runtimes/SECRET%00mine", "/v1/runtimes/mine%00/SECRET", "/v1/runtimes/%00SECRET",
	"/v1/runtimes/mine%0d%0aGET%20/v1/runtimes/SECRET", "/v1/runtimes/mine%0a", "/v1/runtimes/SECRET%20", "/v1/runtimes/SECRET+", "/v1/runtimes/SECRET%09",
	`/v1/runtimes\SECRET`, `/v1/runtimes/mine\..\SECRET`, "/v1/runtimes/mine%5c..%5cSECRET", `/v1/runtimes/SECRET\`, "/v1%5cruntimes%5cSECRET",
	"/V1/runtimes/SECRET", "/v1/RUNTIMES/SECRET", "/v1/runtimes/secret", "/v1/runtimes/Mine",
	"/%761/runtimes/SECRET", "/v1/%72untimes/SECRET", "/v1%2Fruntimes/SECRET", "/v1%2fruntimes%2fSECRET", "/v1/runtimes%2FSECRET", "%2Fv1%2Fruntimes%2FSECRET",
	"/v1/runtimes/%53ECRET", "/v1/runtimes/S%45CRET", "/v1/runtimes/%73ECRET", "/v1/runtimes/SECRE%54", "/v1/runtimes/%2553ECRET", "/v1/runtimes/SECRET%2F", "/v1/runtimes/%2FSECRET",
	"/v1/runtimes/SECRET%2e", "/v1/runtimes/SECRET.", "/v1/runtimes/SECRET.json", "/v1/runtimes/..%2fSECRET", "/v1/runtimes/%2e%2e%2fruntimes%2fSECRET",
	"/v1/runtimes/%c0%aeSECRET", "/v1/runtimes/mine%c0%af..%c0%afSECRET", "/v1/runtimes/%ef%bc%b3ECRET", "/v1/runtimes/%u0053ECRET", "/v1/runtimes/SECRET%", "/v1/runtimes/SECRET%2",
	"/v1/runtimes/SECRET?game_id=mine", "/v1/runtimes/SECRET?mine", "/v1/runtimes/mine?game_id=SECRET", "/v1/runtimes/mine?/../SECRET", "/v1/runtimes/mine#/../SECRET", "/v1/runtimes/mine%3f/../SECRET", "/v1/runtimes/mine%23",
	"/healthz/../v1/runtimes/SECRET", "/healthz;/v1/runtimes/SECRET", "/healthz%2f..%2fv1/runtimes/SECRET", "/v1/auth/../runtimes/SECRET", "/metrics/v1/runtimes/SECRET",
	"/v1/runtimes/*", "/v1/runtimes/{game_id}", "/v1/runtimes/%7bgame_id%7d",
}

// gameInResponse matches the game ids in a response.
var gameInResponse = regexp.MustCompile(`"game_id":"([^"]*)`)

// No spelling of a path leads to a game that the caller may not use: authorization and
// handlers have the same game id.
func TestPathTricks(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("SECRET", "eu", "n1")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("mine", "eu", "n1")))
	restricted := s.token("restricted", "operator:mine,mine*")
	for _, path := range trickyPaths {
		base, query, _ := strings.Cut(path, "?")
		for _, suffix := range []string{"", "/history", "/stop"} {
			method, full := "GET", base+suffix
			if suffix == "/stop" {
				method = "POST"
			}
			if query != "" {
				full += "?" + query
			}
			got := s.send(method, full, restricted, "")
			require.False(t, got.StatusCode >= 300 && got.StatusCode < 400, "%s: no redirects", full)
			for _, game := range gameInResponse.FindAllStringSubmatch(got.body, -1) {
				require.True(t, strings.HasPrefix(game[1], "mine"), "%s returned game %s", full, game[1])
			}
		}
	}
	for _, request := range s.node.requests {
		require.True(t, strings.HasPrefix(request.GameID, "mine"), "operation on %q", request.GameID)
	}
}

// The game of an operation is the unescaped segment of the path, in the audit log as well.
func TestGameOfAPath(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	admin := s.token("admin", "admin")
	for _, path := range trickyPaths {
		base, _, _ := strings.Cut(path, "?")
		before := len(s.node.requests)
		got := s.send("POST", base+"/stop", admin, "")
		if len(s.node.requests) == before {
			require.NotEqual(t, 200, got.StatusCode, base)
			continue
		}
		segment, isGame := strings.CutPrefix(unescapeAll(base), "/v1/runtimes/")
		require.True(t, isGame, base)
		id := s.node.requests[before].GameID
		require.NoError(t, runtime.ValidateGameID(id))
		if escaped, isPlain := strings.CutPrefix(base, "/v1/runtimes/"); isPlain {
			want, err := url.PathUnescape(escaped)
			require.NoError(t, err)
			require.Equal(t, want, id, "decoded once")
		} else {
			require.Equal(t, segment, id)
		}
		events := a.events()
		require.Equal(t, id, events[len(events)-1].GameID)
		require.Equal(t, 200, got.StatusCode, got.body)
		require.Equal(t, id, decodeAs[api.OperationResult](t, got.body).GameID)
	}
}

// unescapeAll decodes a path once, as far as it can be decoded.
func unescapeAll(path string) string {
	if decoded, err := url.PathUnescape(path); err == nil {
		return decoded
	}
	return path
}

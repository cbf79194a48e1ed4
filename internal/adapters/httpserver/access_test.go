package httpserver_test

import (
	"bufio"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/httpserver/internal/callers"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// Every route needs an identity, except those that the document shows without security.
func TestEveryRouteNeedsAnIdentity(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	c := contractOf(t, s.fixture)
	public := map[string]bool{"GET /healthz": true, "GET /readyz": true, "GET /v1/auth": true}
	for _, name := range c.operations() {
		method, path, _ := strings.Cut(name, " ")
		require.Equal(t, public[name], len(memberAt(c.document, "paths", path, strings.ToLower(method))["security"].([]any)) == 0, name)
		path = strings.NewReplacer("{game_id}", "g", "{name}", "n", "{region}", "eu", "{node}", "n1").Replace(path)
		for _, headers := range []string{
			"", "Authorization: Basic YTpi\r\n", "Authorization: Bearer\r\n", "Authorization: Bearer guess\r\n", "Authorization: Bearer rtm_a_b\r\n",
			"Authorization: Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZGEifQ.\r\n", "Rtmanager-Actor: admin\r\n",
		} {
			got := s.send(method, path, headers, "")
			if public[name] {
				require.Equal(t, 200, got.StatusCode, name)
				continue
			}
			require.Equal(t, 401, got.StatusCode, "%s with %q: %s", name, headers, got.body)
			require.Equal(t, api.CodeUnauthenticated, tryProblem(got.body).Code)
			require.Equal(t, `Bearer realm="rtmanager"`, got.Header.Get("WWW-Authenticate"))
		}
	}
	require.Zero(t, s.node.count(), "nothing may be executed")
}

// A token of one store is worth nothing at another. Two Authorization headers are ambiguous.
func TestTokensOfAnotherStore(t *testing.T) {
	t.Parallel()
	s, other := startSecured(t), startSecured(t)
	valid, foreign := s.token("ci", "reader"), other.token("ci", "admin")
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", valid, "").StatusCode)
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", foreign, "").StatusCode)
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", valid+valid, "").StatusCode)
	require.Equal(t, 401, s.send("GET", "/v1/runtimes", valid+foreign, "").StatusCode)
}

// Each role permits exactly its routes.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	c := contractOf(t, s.fixture)
	for role, permissions := range map[access.Role][]string{
		access.RoleNone: {""}, access.RoleReader: {"", "read"}, access.RoleOperator: {"", "read", "operate"},
		access.RoleExecutor: {"", "read", "exec"}, access.RoleAdmin: {"", "read", "operate", "exec", "admin"},
	} {
		headers := s.token(string(role), string(role))
		for _, name := range c.operations() {
			method, path, _ := strings.Cut(name, " ")
			permission, _ := memberAt(c.document, "paths", path, strings.ToLower(method))["x-permission"].(string)
			path = strings.NewReplacer("{game_id}", "g", "{name}", "n").Replace(path)
			if name == "GET /v1/watch" || name == "GET /v1/events" {
				path += "?from_revision=99" // a watch that starts would not end
			}
			got := s.send(method, path, headers, "{}")
			if slices.Contains(permissions, permission) {
				require.NotContains(t, []int{401, 403}, got.StatusCode, "%s %s: %s", role, name, got.body)
			} else {
				require.Equal(t, 403, got.StatusCode, "%s %s: %s", role, name, got.body)
				require.Equal(t, api.CodeForbidden, tryProblem(got.body).Code)
			}
		}
	}
}

// A caller whose role is for some games or regions cannot act on others, by no route.
func TestScopes(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	for _, r := range []struct{ id, region string }{{"chess-1", "eu"}, {"chess-2", "us"}, {"go-1", "eu"}} {
		require.NoError(t, s.store.Upsert(t.Context(), recordOn(r.id, r.region, "n1")))
	}
	s.node.report = drift.Report{Findings: []drift.Finding{finding("a", "n1")}}
	headers := s.token("ci", "operator@eu:chess-*")
	record := func(region string) string { return strings.Replace(runningRecord, `"eu"`, `"`+region+`"`, 1) }
	for _, row := range []struct {
		method, path, body string
		status             int
	}{
		{"GET", "/v1/runtimes/chess-1", "", 200},
		{"GET", "/v1/runtimes/chess-1?consistency=local", "", 200},
		{"GET", "/v1/runtimes/chess-1/history", "", 200},
		{"GET", "/v1/runtimes/chess-2", "", 403},
		{"GET", "/v1/runtimes/chess-2/history", "", 403},
		{"GET", "/v1/runtimes/chess-2/explain", "", 403},
		{"GET", "/v1/runtimes/go-1", "", 403},
		{"GET", "/v1/runtimes/%63hess-1", "", 200},
		{"GET", "/v1/runtimes/chess-%2F..%2Fgo-1", "", 404},
		{"GET", "/v1/runtimes/chess-9", "", 404},
		{"GET", "/v1/runtimes/go-9", "", 403},
		{"POST", "/v1/runtimes/chess-1/stop", "", 200},
		{"POST", "/v1/runtimes/chess-2/stop", "", 403},
		{"POST", "/v1/runtimes/go-1/stop", "", 403},
		{"POST", "/v1/runtimes/chess-9/start", `{"image":"game:1.2.3"}`, 200},
		{"POST", "/v1/runtimes/go-9/start", `{"image":"game:1.2.3"}`, 403},
		{"POST", "/v1/runtimes/chess-10/start", `{"image":"game:1.2.3","regions":["eu","us"]}`, 403},
		{"POST", "/v1/runtimes/chess-1/patch", `{"spec":{"image":"game:1.2.3","regions":["us"]}}`, 403},
		{"POST", "/v1/specs", `{"game_ids":["chess-1","chess-2","go-1"]}`, 200},
		{"POST", "/v1/runtimes/chess-2/status", stopChange, 403},
		{"DELETE", "/v1/runtimes/chess-2", "", 403},
		{"PUT", "/v1/runtimes/chess-8", record("eu"), 200},
		{"PUT", "/v1/runtimes/chess-7", record("us"), 403},
		{"PUT", "/v1/runtimes/chess-8", record("us"), 403},
		{"PUT", "/v1/runtimes/chess-2", record("eu"), 403},
		{"POST", "/v1/drift/release", "", 403},
		{"POST", "/v1/drift/apply", encodeJSON(t, api.DriftApply{Findings: s.node.report.Findings}), 403},
		{"GET", "/v1/fsck", "", 403},
	} {
		got := s.send(row.method, row.path, headers, row.body)
		require.Equal(t, row.status, got.StatusCode, "%s %s: %s", row.method, row.path, got.body)
	}
	require.Len(t, s.node.requests, 2, "chess-1 and chess-9")
	specs := decodeAs[api.Specs](t, s.send("POST", "/v1/specs", headers, `{"game_ids":["chess-1","chess-2","go-1"]}`).body)
	require.Equal(t, "chess-1", specs.Items[0].Record.GameID)
	require.Equal(t, []api.GameSpec{{GameID: "chess-2"}, {GameID: "go-1"}}, specs.Items[1:], "games that the caller may not read")
	list := decodeAs[api.Page](t, s.send("GET", "/v1/runtimes", headers, "").body)
	require.Len(t, list.Items, 2)
	for _, item := range list.Items {
		require.Equal(t, "eu", item.Region)
		require.True(t, strings.HasPrefix(item.GameID, "chess-"))
	}
	for _, f := range decodeAs[drift.Report](t, s.send("GET", "/v1/drift?allow_partial=true", headers, "").body).Findings {
		require.True(t, strings.HasPrefix(f.GameID, "chess-"), f.GameID)
	}
}

// A finding is applied only for the game that the request names.
func TestFindingsOfOtherGames(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	other := finding("a", "n1")
	other.GameID = "go-1"
	s.node.report = drift.Report{Findings: []drift.Finding{other}}
	forged := other
	forged.GameID = "chess-1"
	headers := s.token("ci", "operator:chess-*")
	got := s.send("POST", "/v1/drift/apply", headers, encodeJSON(t, api.DriftApply{Findings: []drift.Finding{forged}}))
	require.Equal(t, 200, got.StatusCode, got.body)
	require.Equal(t, drift.ApplyStale, decodeAs[api.DriftApplied](t, got.body).Results[0].Status)
}

// A watch delivers only games that the caller may see. A game that leaves is deleted for the
// caller, without its new record.
func TestWatchesShowVisibleGamesOnly(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-1", "eu", "n1")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-2", "us", "n1")))
	stream := s.watch("", s.token("ci", "reader@eu:chess-*")+ndjson)
	stream.expect("snapshot chess-1 3", "synced 3")
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("go-1", "eu", "n1")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-3", "eu", "n1")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-3", "us", "n9")))
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-2", "eu", "n1")))
	got := stream.expect("upserted chess-3 5", "deleted chess-3 6", "upserted chess-2 7")
	require.Nil(t, got[1].After)
	require.NotContains(t, got[1].raw, "n9")
	require.Nil(t, got[2].Before, "it was in us before")
}

// A revoked token, and one whose roles change, loses its open streams.
func TestRevocationEndsStreams(t *testing.T) {
	t.Parallel()
	for name, headers := range bothFormats {
		s := startSecured(t)
		revoked, changed, kept := s.token("revoked", "reader"), s.token("changed", "reader"), s.token("kept", "reader")
		streams := map[string]*watchReader{}
		for token, credentials := range map[string]string{"revoked": revoked, "changed": changed, "kept": kept} {
			streams[token] = s.watch("", credentials+headers)
			streams[token].expect("synced 1")
		}
		require.NoError(t, s.access.RevokeToken(t.Context(), "revoked"))
		require.Equal(t, api.CodeUnauthenticated, streams["revoked"].next().Error.Code, name)
		streams["revoked"].end()
		_, err := s.access.Grant(t.Context(), "token:changed", access.Grant{Role: access.RoleNone}, "test")
		require.NoError(t, err)
		require.Equal(t, api.CodeForbidden, streams["changed"].next().Error.Code, name)
		streams["changed"].end()
		require.NoError(t, s.store.Upsert(t.Context(), recordOn("g", "eu", "n1")))
		streams["kept"].expect("upserted g 2")
		require.Equal(t, 401, s.send("GET", "/v1/runtimes", revoked, "").StatusCode)
		require.Equal(t, 403, s.send("GET", "/v1/runtimes", changed, "").StatusCode)
	}
}

// A stream ends when the proof of its caller expires.
func TestStreamsEndWithTheToken(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	_, text, err := s.access.CreateToken(t.Context(), "short", []access.Grant{{Role: access.RoleReader}}, 2*time.Second, "test")
	require.NoError(t, err)
	stream := s.watch("", "Authorization: Bearer "+text+"\r\n"+ndjson)
	stream.expect("synced 1")
	require.Equal(t, api.CodeUnauthenticated, stream.next().Error.Code)
	stream.end()
}

// Only a daemon forwards requests. No client can name another caller, or claim to be a daemon.
func TestForwardingHeadersOfClients(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	admin := api.EncodeIdentity(access.Identity{Subject: "user:root", Groups: []string{"group:" + access.AdminsOrganization}, Method: access.MethodCertificate})
	for _, token := range []string{s.token("reader", "reader"), s.token("admin", "admin")} {
		for _, headers := range []string{
			"Rtmanager-Forwarded: eu/n2\r\n", "Rtmanager-Forwarded-Identity: " + admin + "\r\n",
			"Rtmanager-Forwarded: eu/n1\r\nRtmanager-Forwarded-Identity: " + admin + "\r\n", "Rtmanager-Forwarded:\r\n",
		} {
			got := s.send("POST", "/v1/runtimes/g/stop", token+headers, "")
			require.Equal(t, 403, got.StatusCode, "%s: %s", headers, got.body)
		}
	}
	require.Equal(t, 401, s.send("POST", "/v1/runtimes/g/stop", "Rtmanager-Forwarded: eu/n2\r\nRtmanager-Forwarded-Identity: "+admin+"\r\n", "").StatusCode)
	require.Zero(t, s.node.count())
}

// The actor of a write is the proven subject, not a header.
func TestActorIsTheSubject(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	headers := s.token("ci", "operator") + "Rtmanager-Actor: somebody\r\n"
	require.Equal(t, 200, s.send("PUT", "/v1/runtimes/g", headers, runningRecord).StatusCode)
	history := decodeAs[api.History](t, s.send("GET", "/v1/runtimes/g/history", headers, "").body)
	require.Equal(t, "token:ci", history.Items[0].Actor)
	require.Equal(t, 200, s.send("POST", "/v1/runtimes/new/start", headers, `{"image":"game:1.2.3"}`).StatusCode)
	require.Equal(t, "token:ci", s.node.onlyRequest(t).Origin.Actor)
}

func TestCanI(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	require.NoError(t, s.store.Upsert(t.Context(), recordOn("chess-2", "us", "n1")))
	operator, admin := s.token("ci", "operator@eu:chess-*"), s.token("root", "admin")
	decide := func(headers, query string) api.Decision {
		got := s.send("GET", "/v1/can-i?"+query, headers, "")
		require.Equal(t, 200, got.StatusCode, "%s: %s", query, got.body)
		return decodeAs[api.Decision](t, got.body)
	}
	for query, want := range map[string]bool{
		"verb=stop": true, "verb=stop&game_id=chess-1": true, "verb=stop&game_id=chess-2": false, "verb=get&game_id=go": false,
		"verb=start&game_id=chess-1&region=us": false, "verb=read&region=eu": true, "verb=read&region=us": false, "verb=token": false,
	} {
		require.Equal(t, want, decide(operator, query).Allowed, query)
	}
	require.Equal(t, api.Decision{
		Allowed: false, Subject: "user:ada", Permission: access.PermissionRead, Reason: "user:ada lacks the permission read",
	}, decide(admin, "verb=list&subject=user:ada"))
	require.Equal(t, 403, s.send("GET", "/v1/can-i?verb=stop&subject=user:ada", operator, "").StatusCode)
	require.Equal(t, 400, s.send("GET", "/v1/can-i?verb=fly", operator, "").StatusCode)
	require.Equal(t, 400, s.send("GET", "/v1/can-i?verb=stop&subject=ada", admin, "").StatusCode)

	identity := decodeAs[api.Identity](t, s.send("GET", "/v1/whoami", operator, "").body)
	require.Equal(t, "token:ci", identity.Subject)
	require.Equal(t, access.MethodToken, identity.Method)
	require.Equal(t, "operator@eu:chess-*", access.RightsOf(identity.Grants).String())
	require.NotNil(t, identity.ExpiresAt)
}

func TestInvalidTokensAndRoles(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	admin := s.token("root", "admin")
	for _, row := range []struct {
		path, body, want string
	}{
		{"/v1/tokens", `{}`, "name"},
		{"/v1/tokens", `{"name":"a\nb"}`, "not printable"},
		{"/v1/tokens", `{"name":"a","expires_in":"-1h"}`, "must not be negative"},
		{"/v1/tokens", `{"name":"a","grants":[{"role":"root"}]}`, "root"},
		{"/v1/tokens", `{"name":"a","grants":[{"role":"node"}]}`, "node"},
		{"/v1/tokens", `{"name":"a","grants":[{"role":"operator","regions":[]}]}`, "empty list"},
		{"/v1/tokens", `{"name":"a","grants":[{"role":"operator","games":[]}]}`, "empty list"},
		{"/v1/roles/grant", `{"subject":"ada","grant":"reader"}`, "is not a subject"},
		{"/v1/roles/grant", `{"subject":"node:eu/n1","grant":"admin"}`, "is not a subject"},
		{"/v1/roles/grant", `{"subject":"user:ada"}`, "is required"},
		{"/v1/roles/grant", `{"subject":"user:ada","grant":"root"}`, "is not a role"},
		{"/v1/roles/revoke", `{"subject":"user:","grant":"reader"}`, "is empty"},
	} {
		got := s.send("POST", row.path, admin, row.body)
		require.Equal(t, http.StatusUnprocessableEntity, got.StatusCode, "%s %s: %s", row.path, row.body, got.body)
		require.Contains(t, got.body, row.want)
	}
}

// Every route has a requirement of its own, and every requirement has a route.
func TestRequirementsOfRoutes(t *testing.T) {
	t.Parallel()
	for _, route := range httpserver.Routes() {
		require.NotEmpty(t, route.ID, route.Path)
		if route.Requirement.Kind == callers.RequireAll {
			require.Contains(t, []string{"check-store", "repair-store", "remove-node", "get-members", "remove-member", "list-tokens", "create-token", "revoke-token", "list-roles", "grant-role", "revoke-role", "list-secrets", "get-secret", "put-secret", "delete-secret", "rotate-secrets"}, route.ID,
				"a route without a row in requirements")
		}
	}
}

// The stream of an operation ends when its caller loses its rights. The operation continues.
func TestRevocationEndsOperationStreams(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	end := make(chan struct{})
	defer close(end)
	s.node.execute = slowOperation(end, operation.StepAccepted, operation.StepPulling)
	_, got := s.openUntilDone("POST", "/v1/runtimes/g/start", s.token("ci", "operator")+ndjson, `{"image":"game:1.2.3"}`)
	lines := bufio.NewReader(got.Body)
	for range 2 {
		_, err := lines.ReadString('\n')
		require.NoError(t, err)
	}
	require.NoError(t, s.access.RevokeToken(t.Context(), "ci"))
	rest, err := io.ReadAll(lines)
	require.NoError(t, err)
	p := decodeAs[api.OperationEvent](t, string(rest)).Problem
	require.Equal(t, api.CodeOutcomeUnknown, p.Code)
	require.Contains(t, p.Detail, "the proof of token:ci has expired or was revoked; operation")
}

// A request that waits for an operation ends when its caller loses its rights.
func TestRevocationEndsWaitingRequests(t *testing.T) {
	t.Parallel()
	s := startSecured(t)
	end := make(chan struct{})
	defer close(end)
	s.node.execute = slowOperation(end, operation.StepAccepted, operation.StepPulling)
	token := s.token("ci", "operator")
	responses := make(chan rawResponse)
	go func() { responses <- s.send("POST", "/v1/runtimes/g/start", token, `{"image":"game:1.2.3"}`) }()
	require.Eventually(t, func() bool { return s.node.count() == 1 }, testTimeout, tick)
	require.NoError(t, s.access.RevokeToken(t.Context(), "ci"))
	p := (<-responses).problem(t)
	require.Equal(t, api.CodeOutcomeUnknown, p.Code)
	require.Contains(t, p.Detail, "the proof of token:ci has expired or was revoked; operation")
}

// One caller cannot take all slots of streams and operations.
func TestSlotsOfOneCaller(t *testing.T) {
	t.Parallel()
	s := startSecured(t, func(cfg *servertest.Config) { cfg.MaxOperations, cfg.MaxStreams = 4, 4 })
	end := make(chan struct{})
	defer close(end)
	s.node.execute = slowOperation(end, operation.StepAccepted)
	greedy, other := s.token("greedy", "operator"), s.token("other", "operator")
	for range 2 {
		s.watch("", greedy+ndjson).expect("synced 1")
	}
	require.Equal(t, api.CodeTooManyStreams, s.send("GET", "/v1/watch", greedy+ndjson, "").problem(t).Code)
	s.watch("", other+ndjson).expect("synced 1")
	for range 2 {
		_, got := s.openUntilDone("POST", "/v1/runtimes/g/stop", greedy+ndjson, "")
		require.Equal(t, 200, got.StatusCode)
	}
	require.Equal(t, api.CodeTooManyOperations, s.send("POST", "/v1/runtimes/h/stop", greedy, "").problem(t).Code)
	_, got := s.openUntilDone("POST", "/v1/runtimes/h/stop", other+ndjson, "")
	require.Equal(t, 200, got.StatusCode)
}

// A caller without an identity gets the result of the readiness probe without its reasons.
func TestReadinessReasonsNeedAnIdentity(t *testing.T) {
	t.Parallel()
	service := newAccess(t)
	failing := map[string]func() error{"etcd": func() error { return errors.New("https://10.0.0.1:2379 is unreachable") }}
	s := &securedFixture{access: service, fixture: start(t, httpserver.Config{Access: service, Ready: failing})}
	anonymous := s.send("GET", "/readyz", "", "")
	require.Equal(t, 503, anonymous.StatusCode)
	require.Contains(t, anonymous.body, `"name":"etcd"`)
	require.NotContains(t, anonymous.body, "10.0.0.1")
	require.Contains(t, s.send("GET", "/readyz", s.token("ci", "reader"), "").body, "10.0.0.1")
	require.NotContains(t, s.send("GET", "/readyz", s.token("denied", "none"), "").body, "10.0.0.1")
}

// The readiness probe is no place to guess credentials without a limit.
func TestGuessesAtTheReadinessProbe(t *testing.T) {
	t.Parallel()
	s := startSecured(t, func(cfg *servertest.Config) { cfg.Limits.Failures = 0.2 })
	valid := s.token("ci", "reader")
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", valid, "").StatusCode)
	_, guess := access.NewToken("guess")
	for range 3 {
		require.Equal(t, 200, s.send("GET", "/readyz", "Authorization: Bearer "+guess+"\r\n", "").StatusCode)
		require.Equal(t, 200, s.send("GET", "/readyz", "", "").StatusCode)
	}
	require.Equal(t, 429, s.send("GET", "/v1/runtimes", "Authorization: Bearer "+guess+"\r\n", "").StatusCode)
	require.Equal(t, 200, s.send("GET", "/v1/runtimes", valid, "").StatusCode)
}

package httpserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// auditFixture is a running audit log with a file.
type auditFixture struct {
	*auditlog.Log
	t    testing.TB
	path string
}

func startAudit(t testing.TB) *auditFixture {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "audit")
	require.NoError(t, os.Mkdir(dir, 0o700))
	path := filepath.Join(dir, "audit.log")
	file, err := auditlog.OpenFile(auditlog.FileConfig{Path: path, MaxBytes: 16 << 20, MaxFiles: 2, Logger: slog.New(slog.DiscardHandler)})
	require.NoError(t, err)
	log := auditlog.New(file, nil)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- log.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		require.NoError(t, <-done)
		require.NoError(t, file.Close())
	})
	return &auditFixture{Log: log, t: t, path: path}
}

// events returns the complete lines of the file.
func (a *auditFixture) events() []audit.Event {
	a.t.Helper()
	text, err := os.ReadFile(a.path)
	require.NoError(a.t, err)
	var events []audit.Event
	for line := range strings.Lines(string(text)) {
		var event audit.Event
		if strings.HasSuffix(line, "\n") {
			require.NoError(a.t, json.Unmarshal([]byte(line), &event), line)
			events = append(events, event)
		}
	}
	return events
}

// last returns the last event, once there are as many as given.
func (a *auditFixture) last(count int) audit.Event {
	a.t.Helper()
	require.Eventually(a.t, func() bool { return len(a.events()) >= count }, testTimeout, tick, "%d events", count)
	events := a.events()
	require.Len(a.t, events, count)
	return events[count-1]
}

// fail makes the file unwritable until the function that it returns is called.
func (a *auditFixture) fail() (repair func()) {
	a.t.Helper()
	require.NoError(a.t, os.Rename(a.path, a.path+".kept"))
	require.NoError(a.t, os.Mkdir(a.path, 0o700))
	require.ErrorIs(a.t, a.Append(a.t.Context(), audit.Event{RequestID: "fails"}), audit.ErrUnavailable)
	return func() {
		require.NoError(a.t, os.Remove(a.path))
		require.NoError(a.t, os.Rename(a.path+".kept", a.path))
		require.Eventually(a.t, func() bool { return a.Check() == nil }, testTimeout, tick)
	}
}

func withAudit(a *auditFixture) func(*servertest.Config) {
	return func(c *servertest.Config) { c.Audit = a }
}

// A client that has the response of a write finds the write in the audit log: its proven
// caller, and not the actor that the client states.
func TestWritesAreAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	headers := s.token("ci", "operator") + "Rtmanager-Actor: someone\r\nRtmanager-Reason: setup\r\nUser-Agent: curl/8\r\nX-Request-Id: req-1\r\nIdempotency-Key: op-1\r\n"
	put := s.send("PUT", "/v1/runtimes/g", headers, runningRecord)
	require.Equal(t, 200, put.StatusCode, put.body)
	events := a.events()
	require.Len(t, events, 1)
	require.WithinDuration(t, events[0].Time, put.date(t), 2*testTimeout)
	events[0].Time, events[0].DurationMS = put.date(t), 0
	require.Equal(t, audit.Event{
		Time: put.date(t), Stage: audit.StageCompleted, RequestID: "req-1", Node: "eu/n1", Actor: "token:ci", AuthMethod: "token",
		RemoteAddr: "127.0.0.1", UserAgent: "curl/8", Action: "put-runtime", HTTPMethod: "PUT", GameID: "g", Reason: "setup",
		Outcome: audit.OutcomeSucceeded, Status: 200, OperationID: "op-1", Revision: 2,
	}, events[0])

	got := s.send("POST", "/v1/runtimes/g/status", strings.Replace(headers, "op-1", "op-2", 1), strings.Replace(stopChange, `"c1"`, `"other"`, 1))
	require.Equal(t, 409, got.StatusCode, got.body)
	event := a.last(2)
	require.Equal(t, audit.OutcomeFailed, event.Outcome)
	require.Equal(t, string(api.CodeConflict), event.Code)
	require.Equal(t, "maintenance", event.Reason, "the reason of the body, not of the header")
}

// Ordinary reads are not audited.
func TestReadsAreNotAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	reader := s.token("r", "reader") + "Connection: close\r\n"
	for _, path := range []string{"/v1/runtimes", "/v1/runtimes/g", "/v1/nodes", "/metrics", "/healthz", "/v1/no-such", "/v1/can-i?verb=read"} {
		s.send("GET", path, reader, "")
		s.send("HEAD", path, reader, "")
	}
	require.Empty(t, a.events())
}

// Every denied request is audited, with what is proven of its caller.
func TestDeniedRequestsAreAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	reader := s.token("r", "reader")
	identity := api.EncodeIdentity(access.Identity{Subject: "user:root", Method: access.MethodCertificate})
	for i, row := range []struct {
		method, path, headers string
		status                int
		code                  api.Code
		action, actor, game   string
	}{
		{"GET", "/v1/runtimes/g", "", 401, api.CodeUnauthenticated, "get-runtime", "", "g"},
		{"POST", "/v1/runtimes/g/stop", "Authorization: Bearer rtm_guess\r\nRtmanager-Actor: admin\r\n", 401, api.CodeUnauthenticated, "stop-runtime", "", "g"},
		{"POST", "/v1/runtimes/a%2Fb/stop", reader, 403, api.CodeForbidden, "stop-runtime", "token:r", "a/b"},
		{"GET", "/v1/tokens", reader, 403, api.CodeForbidden, "list-tokens", "token:r", ""},
		{"POST", "/v1/runtimes/g/stop", reader + "Rtmanager-Forwarded: eu/n2\r\nRtmanager-Forwarded-Identity: " + identity + "\r\n", 403, api.CodeForbidden, "stop-runtime", "token:r", "g"},
		{"GET", "/v1/runtimes", "Host: evil.example\r\n", 421, api.CodeHostRejected, "none", "", ""},
		{"POST", "/v1/runtimes/g/stop", "Origin: https://evil.example\r\n", 403, api.CodeCrossOrigin, "none", "", ""},
	} {
		got := s.send(row.method, row.path, row.headers, "")
		require.Equal(t, row.status, got.StatusCode, got.body)
		event := a.last(i + 1)
		require.Equal(t, audit.OutcomeDenied, event.Outcome)
		require.Equal(t, row.status, event.Status)
		require.Equal(t, string(row.code), event.Code)
		require.Equal(t, row.action, event.Action)
		require.Equal(t, row.actor, event.Actor, "%s %s", row.method, row.path)
		require.Equal(t, row.game, event.GameID)
		require.Empty(t, event.Via)
		require.Equal(t, got.Header.Get(api.HeaderRequestID), event.RequestID)
	}
	require.Zero(t, s.node.count())
}

// A change of rights names the subject and the change, and no secret.
func TestChangesOfRightsAreAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	admin := s.token("admin", "admin")
	created := s.send("POST", "/v1/tokens", admin, `{"name":"ci","grants":[{"role":"reader"}],"expires_in":"1h"}`)
	require.Equal(t, 200, created.StatusCode, created.body)
	require.Equal(t, 200, s.send("POST", "/v1/roles/grant", admin, `{"subject":"user:ada","grant":"operator"}`).StatusCode)
	require.Equal(t, 204, s.send("DELETE", "/v1/tokens/ci", admin, "").StatusCode)
	events := a.events()
	require.Len(t, events, 3)
	require.Equal(t, "token:ci", events[0].Target)
	require.Equal(t, "granted reader", events[0].Detail)
	require.Equal(t, "user:ada", events[1].Target)
	require.Equal(t, "granted operator", events[1].Detail)
	require.Equal(t, "ci", events[2].Target)
	require.Equal(t, "revoke-token", events[2].Action)
	text, err := os.ReadFile(a.path)
	require.NoError(t, err)
	require.NotContains(t, string(text), decodeAs[api.NewToken](t, created.body).Text)
	require.NotContains(t, string(text), "Bearer")
}

// A write and a read of a secret are audited, without its values. The values are not
// readable while that is impossible.
func TestSecretsAreAudited(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	f := start(t, httpserver.Config{Audit: a, Secrets: newSecrets(t, newKeys{envelope.GenerateKey(time.Now())})})
	require.Equal(t, 200, f.send("PUT", "/v1/secrets/db", "", `{"values":{"PASSWORD":"`+secretMarker+`"}}`).StatusCode)
	revealed := f.send("GET", "/v1/secrets/db?reveal=true", "", "")
	require.Contains(t, revealed.body, secretMarker)
	events := a.events()
	require.Len(t, events, 2)
	for i, action := range []string{"put-secret", "get-secret"} {
		require.Equal(t, []string{action, "db"}, []string{events[i].Action, events[i].Target})
		require.Equal(t, audit.OutcomeSucceeded, events[i].Outcome)
	}
	require.Equal(t, "values revealed", events[1].Detail)
	text, err := os.ReadFile(a.path)
	require.NoError(t, err)
	require.NotContains(t, string(text), secretMarker)

	defer a.fail()()
	got := f.send("GET", "/v1/secrets/db?reveal=true", "", "")
	require.Equal(t, 503, got.StatusCode)
	require.NotContains(t, got.body, secretMarker)
}

// While the audit log cannot store events, nothing is changed. Reads continue, and changes
// do when it recovers.
func TestUnavailableAuditLogRejectsChanges(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	m := &fakeNode{}
	f := start(t, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1", Audit: a}, Local: m, Nodes: &fakeRegistry{}})
	c := contractOf(t, f)
	repair := a.fail()
	failures := a.Stats().Failures
	for _, step := range []struct{ method, path, body string }{
		{"PUT", "/v1/runtimes/g", runningRecord}, {"POST", "/v1/runtimes/g/status", stopChange}, {"DELETE", "/v1/runtimes/g", ""},
		{"POST", "/v1/runtimes/g/start", `{"image":"game:1.2.3"}`}, {"POST", "/v1/fsck/repair", ""}, {"POST", "/v1/drift/release", ""},
	} {
		got := f.send(step.method, step.path, "", step.body)
		require.Equal(t, 503, got.StatusCode, "%s %s: %s", step.method, step.path, got.body)
		require.Equal(t, api.CodeAuditUnavailable, got.problem(t).Code)
		require.Equal(t, "1", got.Header.Get("Retry-After"))
		c.requireDocumented(t, step.method, step.path, got)
	}
	require.Zero(t, m.count())
	require.Equal(t, failures, a.Stats().Failures, "a rejection does not call the failed log")
	revision, err := f.store.Revision(t.Context())
	require.NoError(t, err)
	require.Equal(t, int64(1), revision)
	require.Equal(t, 200, f.send("GET", "/v1/runtimes", "", "").StatusCode)
	require.Equal(t, 200, f.send("POST", "/v1/runtimes/g/offer", "", `{"image":"game:1.2.3"}`).StatusCode, "an offer changes nothing")

	repair()
	require.Equal(t, 200, f.send("PUT", "/v1/runtimes/g", "", runningRecord).StatusCode)
}

// An operation has an event of its start, before it runs, and one of its outcome.
func TestOperationsAreAudited(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		headers string
		execute func(ports.OperationRequest) (operation.Outcome, error)
		outcome audit.Outcome
		status  int
		code    api.Code
	}{
		"success":          {"", func(r ports.OperationRequest) (operation.Outcome, error) { return successOf(r), nil }, audit.OutcomeSucceeded, 200, ""},
		"streamed success": {ndjson, func(r ports.OperationRequest) (operation.Outcome, error) { return successOf(r), nil }, audit.OutcomeSucceeded, 200, ""},
		"failure": {"", func(r ports.OperationRequest) (operation.Outcome, error) {
			return failureOf(r, operation.FailureNoImage), container.ErrNoImage
		}, audit.OutcomeFailed, 422, api.CodeNoImage},
		"panic": {"", func(ports.OperationRequest) (operation.Outcome, error) { panic("a bug") }, audit.OutcomeFailed, 500, api.CodeInternal},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := startAudit(t)
			m := &fakeNode{}
			m.execute = func(_ context.Context, r ports.OperationRequest, report func(operation.Progress)) (operation.Outcome, error) {
				if events := a.events(); len(events) != 1 || events[0].Outcome != audit.OutcomePending {
					return operation.Outcome{}, errors.New("the start is not in the audit log")
				}
				if row.headers != "" {
					report(operation.Progress{OperationID: r.Origin.OperationID, Kind: r.Kind, Step: operation.StepAccepted})
				}
				return row.execute(r)
			}
			f := start(t, servertest.Config{Config: httpserver.Config{Region: "eu", Node: "n1", Audit: a}, Local: m, Nodes: &fakeRegistry{}})
			got := f.send("POST", "/v1/runtimes/g/start", row.headers+"Rtmanager-Actor: ops\r\nX-Request-Id: r\r\n", `{"image":"game:1.2.3"}`)
			require.Equal(t, row.status, got.StatusCode, got.body)
			event := a.last(2)
			started := a.events()[0]
			require.Equal(t, audit.StageStarted, started.Stage)
			for _, e := range []audit.Event{started, event} {
				require.Equal(t, []string{"start-runtime", "g", "ops", "none", "r"}, []string{e.Action, e.GameID, e.Actor, e.AuthMethod, e.RequestID})
			}
			require.Equal(t, audit.StageCompleted, event.Stage)
			require.Equal(t, row.outcome, event.Outcome)
			require.Equal(t, string(row.code), event.Code)
			require.Equal(t, m.onlyRequest(t).Origin.OperationID, event.OperationID)
		})
	}
}

// Both daemons record a forwarded request, under the same id.
func TestForwardedRequestsAreAuditedByBothNodes(t *testing.T) {
	t.Parallel()
	var logs []*auditFixture
	c := startCluster(t, func(cfg *servertest.Config) {
		logs = append(logs, startAudit(t))
		cfg.Audit = logs[len(logs)-1]
	})
	for i, headers := range []string{"", ndjson} {
		id := fmt.Sprintf("X-Request-Id: forwarded-%d\r\n", i)
		require.Equal(t, 200, c.one.send("POST", "/v1/runtimes/far/stop", headers+id, "").StatusCode)
		first, second := logs[0].last(2*i+2), logs[1].last(2*i+2)
		require.Equal(t, fmt.Sprintf("forwarded-%d", i), first.RequestID)
		require.Equal(t, first.RequestID, second.RequestID)
		require.Equal(t, "eu/n2", first.Target)
		require.Equal(t, "eu/n1", second.Via)
		require.Equal(t, "eu/n2", second.Node)
		require.Equal(t, audit.OutcomeSucceeded, second.Outcome)
		require.Equal(t, []audit.Outcome{audit.OutcomeSucceeded, audit.OutcomeUnknown}[i], first.Outcome)
	}
}

// A denied change names all that its path names, and a denied start that has an event of its start has one of its
// end too, however many were denied before.
func TestDeniedChangesHaveATargetAndAnEnd(t *testing.T) {
	t.Parallel()
	a := startAudit(t)
	s := startSecured(t, withAudit(a))
	reader, ofEU := s.token("r", "reader"), s.token("ci", "operator@eu")
	require.Equal(t, 403, s.send("POST", "/v1/nodes/eu/eu-1/cordon", reader, "{}").StatusCode)
	require.Equal(t, "eu/eu-1", a.last(1).Target)

	const starts = 15 // more than the denied events of one caller that are stored one by one
	for range starts {
		got := s.send("POST", "/v1/runtimes/g/start", ofEU, `{"image":"game:1.2.3","region":"us"}`)
		require.Equal(t, 403, got.StatusCode, got.body)
	}
	a.last(1 + 2*starts)
	for _, event := range a.events()[1:] {
		require.Contains(t, []audit.Outcome{audit.OutcomePending, audit.OutcomeDenied}, event.Outcome)
	}
}

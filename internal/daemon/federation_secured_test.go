package daemon_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/audit"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/testkit/audittest"
	"galaxy/rtmanager/internal/testkit/certtest"
)

// securedStores are the daemons eu/eu-1 and us/us-1 of two stores, which authenticate all callers. The
// first federates the store of the second.
type securedStores struct {
	securedPair // callers; first and second are the daemons

	auditFiles map[string]string // by region
}

func startSecuredStores(t *testing.T, tune ...func(*config.Config)) *securedStores {
	t.Helper()
	s := &securedStores{securedPair: securedPair{ca: certtest.NewAuthority(t, "ca")}, auditFiles: map[string]string{}}
	startStore := func(region string, federate ...string) *runningDaemon {
		cfg := storeSettings(t, region, federate...)
		withCertificate(t, &cfg, s.ca, s.ca.IssueNode(t, region+"/"+region+"-1"))
		cfg.AuditFile = filepath.Join(t.TempDir(), "audit.log")
		s.auditFiles[region] = cfg.AuditFile
		for _, change := range tune {
			change(&cfg)
		}
		return start(t, cfg)
	}
	s.second = startStore("us")
	s.first = startStore("eu", "us="+s.second.API)
	return s
}

// grant grants a role in the store of the daemon.
func (s *securedStores) grant(t *testing.T, d *runningDaemon, subject, grant string) {
	t.Helper()
	status, text := s.admin(t).send("POST", d.API+"/v1/roles/grant", `{"subject":"`+subject+`","grant":"`+grant+`"}`)
	require.Equal(t, 200, status, text)
}

// Each store authorizes a forwarded caller by its own policy, and records it as the actor.
func TestEachStoreAuthorizes(t *testing.T) {
	t.Parallel()
	s := startSecuredStores(t)
	s.grant(t, s.second, "user:ada", "operator")
	s.grant(t, s.first, "user:bob", "admin")
	ada, bob := s.as(t, s.issue(t, "ada", "ops")), s.as(t, s.issue(t, "bob", "ops"))
	const start, path = `{"image":"game:1","health_path":"none"}`, "/v1/runtimes/g/start"
	forwarded := s.first.API + "/v1/stores/us"
	require.Eventually(t, func() bool {
		status, _ := ada.send("POST", forwarded+path, start)
		return status == 200
	}, timeout, 50*time.Millisecond, "the other daemon reads a grant within seconds")
	for name, c := range map[string]struct {
		caller caller
		url    string
		status int
	}{
		"ada with a role there":           {ada, forwarded + "/v1/runtimes/g", 200},
		"ada in the first store":          {ada, s.first.API + "/v1/runtimes", 403},
		"an admin of the first store":     {bob, s.first.API + "/v1/runtimes", 200},
		"the same in the other":           {bob, forwarded + "/v1/runtimes/g", 403},
		"no credentials":                  {s.as(t, nil), forwarded + "/v1/runtimes/g", 401},
		"no credentials for a probe":      {s.as(t, nil), forwarded + "/healthz", 401},
		"an administrator by certificate": {s.admin(t), forwarded + "/v1/tokens", 200},
		"a token of the first store":      {s.newToken(t, "ci", "admin"), forwarded + "/v1/runtimes/g", 403},
		"a daemon":                        {s.as(t, s.issue(t, "eu/eu-9", access.NodesOrganization)), forwarded + "/v1/runtimes/g", 403},
	} {
		status, text := c.caller.send("GET", c.url, "")
		require.Equal(t, c.status, status, "%s: %s", name, text)
	}
	status, text := bob.send("POST", forwarded+"/v1/runtimes/g/stop", "", "X-Request-Id: denied-1")
	require.Equal(t, 403, status, text)
	status, text = ada.send("POST", forwarded+"/v1/runtimes/g/stop", "", "X-Request-Id: stopped-1", "Rtmanager-Actor: root")
	require.Equal(t, 200, status, text)
	_, text = ada.send("GET", forwarded+"/v1/runtimes/g/history", "")
	require.Contains(t, text, `"actor":"user:ada"`)
	require.NotContains(t, text, `"actor":"root"`)
	for _, want := range []struct{ region, request, actor, via, target, outcome string }{
		{"eu", "denied-1", "user:bob", "", "store us", "denied"}, {"us", "denied-1", "user:bob", "eu/eu-1", "", "denied"},
		{"eu", "stopped-1", "user:ada", "", "store us", "succeeded"}, {"us", "stopped-1", "user:ada", "eu/eu-1", "", "succeeded"},
	} {
		event := s.completed(t, want.region, want.request)
		require.Equal(t, want.actor, event.Actor, want)
		require.Equal(t, want.via, event.Via, want)
		require.Equal(t, want.target, event.Target, want)
		require.Equal(t, audit.Outcome(want.outcome), event.Outcome, want)
		require.Equal(t, "g", event.GameID, want)
	}

	_, text = ada.send("GET", s.first.API+"/v1/runtimes?stores=all", "")
	require.Contains(t, text, `"code":"forbidden"`, "the daemon's own store denies the list")
	status, text = bob.send("GET", s.first.API+"/v1/runtimes?stores=all", "")
	require.Equal(t, 503, status, text)
	require.Contains(t, text, `"missing":[{"store":"us","reason":"user:bob`)
	status, text = bob.send("GET", s.first.API+"/v1/runtimes?stores=all&allow_partial=true", "")
	require.Equal(t, 200, status, text)
}

// completed returns the event of a request that has ended.
func (s *securedStores) completed(t *testing.T, region, requestID string) audit.Event {
	t.Helper()
	for _, event := range audittest.Read(t, s.auditFiles[region]) {
		if event.RequestID == requestID && event.Stage == audit.StageCompleted {
			return event
		}
	}
	require.Fail(t, "no event", "request %s in the audit log of %s", requestID, region)
	return audit.Event{}
}

// Only a daemon, under the name of its own certificate and with the identity of a caller, forwards
// requests to another store.
func TestForgedFederation(t *testing.T) {
	t.Parallel()
	s := startSecuredStores(t)
	root := "Rtmanager-Forwarded-Identity: " + api.EncodeIdentity(access.Identity{Subject: "user:root", Groups: []string{"group:" + access.AdminsOrganization}})
	daemon := s.as(t, s.issue(t, "ap/ap-1", access.NodesOrganization))
	for name, row := range map[string]struct {
		caller  caller
		headers []string
		status  int
	}{
		"no credentials":           {s.as(t, nil), []string{"Rtmanager-Federated: ap/ap-1", root}, 401},
		"a client":                 {s.as(t, s.issue(t, "ada", "ops")), []string{"Rtmanager-Federated: ap/ap-1", root}, 403},
		"an administrator":         {s.admin(t), []string{"Rtmanager-Federated: ap/ap-1", root}, 403},
		"an administrator alone":   {s.admin(t), []string{"Rtmanager-Federated: ap/ap-1"}, 403},
		"named like a daemon":      {s.as(t, s.issue(t, "ap/ap-1", "ops")), []string{"Rtmanager-Federated: ap/ap-1", root}, 403},
		"another daemon":           {daemon, []string{"Rtmanager-Federated: eu/eu-1", root}, 403},
		"two ways of forwarding":   {daemon, []string{"Rtmanager-Federated: ap/ap-1", "Rtmanager-Forwarded: ap/ap-1", root}, 403},
		"without a caller":         {daemon, []string{"Rtmanager-Federated: ap/ap-1"}, 403},
		"a daemon as the caller":   {daemon, []string{"Rtmanager-Federated: ap/ap-1", `Rtmanager-Forwarded-Identity: {"subject":"node:us/us-1"}`}, 400},
		"a token of another store": {daemon, []string{"Rtmanager-Federated: ap/ap-1", `Rtmanager-Forwarded-Identity: {"subject":"token:ci","method":"token","token_id":"x"}`}, 401},
		"a daemon":                 {daemon, []string{"Rtmanager-Federated: ap/ap-1", root}, 404},
	} {
		status, text := row.caller.send("POST", s.second.API+"/v1/runtimes/g/stop", "", row.headers...)
		require.Equal(t, row.status, status, "%s: %s", name, text)
	}
	// A client cannot pass the headers through the first daemon.
	for _, header := range []string{"Rtmanager-Federated: ap/ap-1", "Rtmanager-Forwarded: ap/ap-1", root} {
		status, text := s.admin(t).send("GET", s.first.API+"/v1/stores/us/v1/runtimes/g", "", header)
		require.Equal(t, 403, status, "%s: %s", header, text)
	}
	// A request that was forwarded goes to no third store.
	status, text := daemon.send("GET", s.first.API+"/v1/stores/us/v1/runtimes/g", "", "Rtmanager-Federated: ap/ap-1", root)
	require.Equal(t, 400, status, text)
	require.Contains(t, text, "never forwarded to a third store")
}

// A stream across stores ends when the other store denies its caller.
func TestRevocationInAnotherStore(t *testing.T) {
	t.Parallel()
	s := startSecuredStores(t)
	s.grant(t, s.second, "user:ada", "reader")
	ada := s.as(t, s.issue(t, "ada", "ops"))
	forwarded := *s.first
	forwarded.API += "/v1/stores/us"
	require.Eventually(t, func() bool {
		status, _ := ada.send("GET", forwarded.API+"/v1/runtimes", "")
		return status == 200
	}, timeout, 50*time.Millisecond)
	stream := ada.watch(&forwarded)
	status, text := s.admin(t).send("POST", s.second.API+"/v1/roles/revoke", `{"subject":"user:ada"}`)
	require.Equal(t, 200, status, text)
	line := ""
	for !strings.Contains(line, `"final":true`) {
		var err error
		line, err = stream.ReadString('\n')
		require.NoError(t, err)
	}
	require.Contains(t, line, `"forbidden"`)
}

// A forwarded caller has the limits of both stores.
func TestLimitsOfForwardedCallers(t *testing.T) {
	t.Parallel()
	s := startSecuredStores(t, func(c *config.Config) {
		if c.Region == "us" {
			c.LimitRate = 1
		}
	})
	admin := s.admin(t)
	for range 50 {
		status, text := admin.send("GET", s.first.API+"/v1/stores/us/v1/runtimes", "")
		if status == 429 {
			require.Contains(t, text, `"code":"rate_limited"`)
			return
		}
		require.Equal(t, 200, status, text)
	}
	require.Fail(t, "the other store has not limited the caller")
}

// A daemon of an earlier version rejects every forwarded caller, so it is not used.
func TestStoreOfAnEarlierVersion(t *testing.T) {
	t.Parallel()
	ca := certtest.NewAuthority(t, "ca")
	earlier := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"store_id":"x","version":"0.9"}`)
	}))
	earlier.TLS = &tls.Config{Certificates: []tls.Certificate{ca.IssueNode(t, "us/us-1").TLS}}
	earlier.StartTLS()
	t.Cleanup(earlier.Close)
	cfg := storeSettings(t, "eu", "us="+earlier.URL)
	withCertificate(t, &cfg, ca, ca.IssueNode(t, "eu/eu-1"))
	eu := start(t, cfg)
	pair := securedPair{ca: ca}
	status, text := pair.admin(t).send("GET", eu.API+"/v1/stores/us/v1/runtimes", "")
	require.Equal(t, 502, status, text)
	require.Contains(t, text, "runs daemon 0.9 at "+earlier.URL+", which accepts no callers of other stores; update it")
}

// A daemon without an identity of its own reaches no store that authenticates its callers, and a daemon
// with one calls no server without one.
func TestStoresProveTheirIdentity(t *testing.T) {
	t.Parallel()
	s := startSecuredStores(t)
	dir := t.TempDir()
	user := s.issue(t, "us/us-9", "ops")
	cfg := storeSettings(t, "us")
	withCertificate(t, &cfg, s.ca, *user)
	impostor := start(t, cfg)
	cfg = storeSettings(t, "ap", "eu="+s.first.API, "us="+impostor.API)
	withCertificate(t, &cfg, s.ca, s.ca.IssueNode(t, "ap/ap-1"))
	cfg.TLSClientCA = s.ca.Write(t, dir)
	ap := start(t, cfg)
	status, text := s.admin(t).send("GET", ap.API+"/v1/stores", "")
	require.Equal(t, 200, status, text)
	require.Contains(t, text, `"state":"`+string(federation.StateReady)+`"`)
	require.Contains(t, text, "is not that of a daemon, since its organization is not rtmanager:nodes")
	status, text = s.admin(t).send("GET", ap.API+"/v1/stores/us/v1/runtimes", "")
	require.Equal(t, 502, status, text)
}

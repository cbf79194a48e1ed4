package cli_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdaccess"
	"galaxy/rtmanager/internal/adapters/httpserver"
	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/services/auth"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/memstore"
	"galaxy/rtmanager/internal/testkit/oidctest"
	"galaxy/rtmanager/internal/testkit/servertest"
)

// securedDaemon is a daemon that authenticates its callers, with the running games chess-1 in eu
// and go-1 in us.
type securedDaemon struct {
	server string
	admin  string // the text of an administrator's token
	issuer *oidctest.Issuer
}

func startSecured(t *testing.T) securedDaemon {
	t.Helper()
	issuer := oidctest.New(t)
	verifier, err := oidc.New(oidc.Config{Issuer: issuer.URL(), Audience: oidctest.ClientID})
	require.NoError(t, err)
	policy := etcdaccess.New(etcdtest.InProcess(t), etcdaccess.Options{Prefix: etcdtest.Prefix(t)})
	service := auth.New(auth.Dependencies{Store: policy, OIDC: verifier}, auth.Config{})
	require.NoError(t, service.Refresh(t.Context()))
	_, admin, err := service.CreateToken(t.Context(), "root", []access.Grant{{Role: access.RoleAdmin}}, time.Hour, "")
	require.NoError(t, err)

	store := memstore.New()
	for id, region := range map[string]string{"chess-1": "eu", "go-1": "us"} {
		record := runningRecord(id)
		record.Region, record.Node = region, "n1"
		require.NoError(t, store.Upsert(t.Context(), record))
	}
	server, _, err := servertest.New(store, servertest.Config{
		Config: httpserver.Config{
			Region: "eu", Node: "n1", Access: service, AccessAdmin: service,
			OIDC: &api.OIDC{Issuer: issuer.URL(), ClientID: oidctest.ClientID},
		},
		Local: &fakeManager{}, Nodes: testNodes()[:1],
	})
	require.NoError(t, err)
	return securedDaemon{serveHandler(t, server.Handler()), admin, issuer}
}

// client returns a user of the daemon with the token, which may be empty.
func (d securedDaemon) client(t *testing.T, token string) client {
	t.Helper()
	c := newClient(t)
	c.env["RTMANAGER_SERVER"], c.env["RTMANAGER_TOKEN"] = d.server, token
	return c
}

func TestTokensAndRoles(t *testing.T) {
	t.Parallel()
	daemon := startSecured(t)
	admin := daemon.client(t, daemon.admin)

	created := admin.run("token", "create", "ci", "--role", "operator", "--regions", "eu", "--games", "chess-*", "--expires", "24h")
	created.requireCode(t, 0, "token create")
	token := strings.TrimSuffix(created.out, "\n")
	require.Regexp(t, `^rtm_[a-z2-7]+_[a-z2-7]+$`, token, "standard output has the token and nothing else")
	require.NotContains(t, created.err, token)
	require.Regexp(t, `^token ci expires at \S+; it cannot be shown a second time\n$`, created.err)
	require.NotContains(t, admin.runOK("token")+admin.runOK("token", "-o", "json"), token)
	require.Contains(t, admin.runOK("token", "list"), "operator@eu:chess-*")

	ci := daemon.client(t, token)
	require.Contains(t, ci.runOK("whoami"), "token:ci")
	require.Contains(t, ci.runOK("list"), "chess-1")
	require.NotContains(t, ci.runOK("list"), "go-1", "a game of another region")
	ci.runOK("stop", "chess-1")
	for _, args := range [][]string{{"stop", "go-1"}, {"get", "go-1"}, {"token"}, {"role"}, {"role", "grant", "token:ci", "admin"}, {"can-i", "stop", "--as", "token:root"}} {
		done := ci.run(args...)
		done.requireCode(t, 1, args)
		require.Contains(t, done.err, "hint: `rtmanager whoami` shows your roles", args)
	}
	for question, want := range map[string]string{
		"stop chess-1": "yes", "stop go-1": "no", "read": "yes", "admin": "no", "start chess-2 --region eu": "yes", "start chess-2 --region us": "no",
	} {
		done := ci.run(append([]string{"can-i"}, strings.Fields(question)...)...)
		require.Equal(t, want+"\n", done.out, question)
		require.Empty(t, done.err, question)
		require.Equal(t, map[string]int{"yes": 0, "no": 1}[want], done.code, question)
	}
	require.Equal(t, "no\n", admin.run("can-i", "admin", "--as", "token:ci").out)

	require.Equal(t, "token:ci has reader@us\n", admin.runOK("role", "grant", "token:ci", "reader@us"))
	require.Contains(t, ci.runOK("list"), "go-1")
	require.Contains(t, admin.runOK("role"), "token:ci")
	require.Equal(t, "token:ci has no granted role; roles that the token was created with remain\n", admin.runOK("role", "revoke", "token:ci", "reader@us"))
	require.NotContains(t, ci.runOK("list"), "go-1")

	require.Equal(t, "token:ci has operator/env=prod,team=a@us\n", admin.runOK("role", "grant", "token:ci", "operator@us", "--label", "team=a", "--label", "env=prod"))
	limited := ci.run("can-i", "stop", "go-1")
	limited.requireCode(t, 1, "a game without the labels")
	require.Equal(t, "no: token:ci lacks the permission operate for game go-1 in region us (granted for games with the labels env=prod,team=a)\n", limited.out)
	admin.runOK("role", "revoke", "token:ci", "operator@us", "--label", "env=prod,team=a")

	require.Equal(t, "token ci revoked\n", admin.runOK("token", "revoke", "ci"))
	revoked := ci.run("list")
	revoked.requireCode(t, 1, "list with a revoked token")
	require.Contains(t, revoked.err, "hint: `rtmanager login`")
	require.NotContains(t, revoked.err, token)
}

func TestInvalidAccessCommands(t *testing.T) {
	t.Parallel()
	daemon := startSecured(t)
	admin := daemon.client(t, daemon.admin)
	for code, lines := range map[int][]string{
		2: {
			"token create", "token create a b", "token create x --role root", "token create x --role reader@eu --regions us", "token create x --games a",
			"token create x --expires -1h", "token revoke", "role grant user:ada", "role grant ada reader", "role grant user:ada root", "role revoke", "role revoke ada",
			"role grant node:eu/n1 admin", "role grant user:ada reader --label team", "role grant user:ada none --label a=b", "role grant user:ada reader/a=b --label a=b", "role revoke user:ada --label a=b", "can-i", "can-i fly", "token x", "role x",
		},
		3: {"token create root --role reader"},
		4: {"token revoke missing", "role revoke user:ada", "role revoke user:ada reader"},
	} {
		for _, line := range lines {
			done := admin.run(strings.Fields(line)...)
			done.requireCode(t, code, line)
			require.Empty(t, done.out, line)
		}
	}
}

// loginWith runs login while the user acts at the issuer with the code of the login.
func (d securedDaemon) loginWith(t *testing.T, c client, act func(code string), args ...string) result {
	t.Helper()
	before := d.issuer.LatestUserCode()
	var user sync.WaitGroup
	user.Go(func() {
		for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); <-time.After(time.Millisecond) {
			if code := d.issuer.LatestUserCode(); code != before {
				act(code)
				return
			}
		}
		t.Error("the client has not started a login")
	})
	done := c.run(append([]string{"login"}, args...)...)
	user.Wait()
	return done
}

func TestLoginAndLogout(t *testing.T) {
	t.Parallel()
	daemon := startSecured(t)
	daemon.client(t, daemon.admin).runOK("role", "grant", "oidc-group:eu-ops", "operator@eu")
	ada := newClient(t)
	approve := func(lifetime time.Duration) func(string) {
		return func(code string) {
			claims := oidctest.Claims{"sub": "ada", "groups": []string{"eu-ops"}, "exp": time.Now().Add(lifetime).Unix()}
			daemon.issuer.Approve(code, claims)
		}
	}

	done := daemon.loginWith(t, ada, approve(time.Hour), "--server", daemon.server)
	done.requireCode(t, 0, "login")
	address := strings.TrimPrefix(daemon.server, "http://")
	require.Equal(t, "logged in as oidc:ada at "+daemon.server+", in context "+address+"\n", done.out)
	require.Contains(t, done.err, "Open "+daemon.issuer.URL()+"/activate?user_code=")
	require.Contains(t, done.err, daemon.issuer.LatestUserCode())
	require.Contains(t, ada.runOK("list"), "chess-1")
	require.Contains(t, ada.runOK("whoami"), "oidc-group:eu-ops")

	// A login that expires soon is refreshed, and the refresh token with it.
	daemon.loginWith(t, ada, approve(10*time.Second)).requireCode(t, 0, "login")
	for range 3 {
		ada.runOK("list")
	}
	require.Equal(t, 2, daemon.issuer.RefreshTokens(), "one per login: each refresh replaces it")

	// While the issuer is unavailable, the token is used until it expires.
	daemon.issuer.Fail(oidctest.TokenPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ada.runOK("list")
	daemon.issuer.Fail(oidctest.TokenPath, nil)

	daemon.issuer.RevokeRefreshTokens()
	expired := ada.run("list")
	expired.requireCode(t, 1, "list with an expired login")
	require.Contains(t, expired.err, "the login has expired")
	require.Contains(t, expired.err, "hint: `rtmanager login` logs in")

	daemon.loginWith(t, ada, approve(time.Hour)).requireCode(t, 0, "login after the login has expired")
	require.Equal(t, "logged out of context "+address+"\n", ada.runOK("logout"))
	require.Zero(t, daemon.issuer.RefreshTokens(), "the login is revoked")
	ada.run("list").requireCode(t, 1, "list after logout")
	require.Empty(t, ada.runOK("logout"))
}

func TestLoginsThatFail(t *testing.T) {
	t.Parallel()
	daemon := startSecured(t)
	ada := newClient(t)
	denied := daemon.loginWith(t, ada, daemon.issuer.Deny, "--server", daemon.server)
	denied.requireCode(t, 1, "login")
	require.Contains(t, denied.err, "the login was denied")
	require.Empty(t, ada.runOK("context"), "nothing is stored")

	exposed := ada.run("login", "--server", "http://192.0.2.1:8080")
	exposed.requireCode(t, 2, "login without encryption")
	require.Contains(t, exposed.err, "without encryption")

	api, _ := newAPI(t)
	without := ada.run("login", "--server", serveHandler(t, api))
	without.requireCode(t, 1, "login at a daemon without an identity provider")
	require.Contains(t, without.err, "no identity provider")

	// A user without a role is logged in, and may do nothing.
	daemon.loginWith(t, ada, func(code string) { daemon.issuer.Approve(code, oidctest.Claims{"sub": "eve"}) }, "--server", daemon.server, "--context", "prod").requireCode(t, 0, "login")
	require.Contains(t, ada.runOK("whoami"), "oidc:eve")
	ada.run("list").requireCode(t, 1, "list without a role")
}

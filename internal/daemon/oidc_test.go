package daemon_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/certtest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

// startWithIssuer starts a daemon that accepts tokens of the issuer.
func startWithIssuer(t *testing.T, issuer *oidctest.Issuer) *runningDaemon {
	t.Helper()
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.Auth, cfg.OIDCIssuer, cfg.OIDCClientID = config.AuthOn, issuer.URL(), oidctest.ClientID
	return start(t, cfg)
}

// withToken returns a client of the daemon that sends the token.
func (r *runningDaemon) withToken(t *testing.T, token string) *httpclient.Client {
	t.Helper()
	credentials := httpclient.Credentials{Token: func(context.Context) (string, error) { return token, nil }}
	client, err := httpclient.New(r.API, httpclient.Config{Credentials: credentials})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Close()) })
	return client
}

func TestTokensOfAnIssuer(t *testing.T) {
	t.Parallel()
	issuer, foreign := oidctest.New(t), oidctest.New(t)
	issuer.FailAll(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	daemon := startWithIssuer(t, issuer) // although the issuer is unavailable

	authentication, err := daemon.client.Authentication(t.Context())
	require.NoError(t, err)
	require.True(t, authentication.Required)
	require.Equal(t, issuer.URL(), authentication.OIDC.Issuer)

	valid := daemon.withToken(t, issuer.Token(oidctest.Claims{"groups": []string{"ops"}}))
	_, err = valid.Identity(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	issuer.FailAll(nil)
	require.Eventually(t, func() bool { _, err := valid.Identity(t.Context()); return err == nil }, timeout, 10*time.Millisecond)

	identity, err := valid.Identity(t.Context())
	require.NoError(t, err)
	require.Equal(t, "oidc:ada", identity.Subject)
	require.Equal(t, []string{"oidc-group:ops"}, identity.Groups)
	_, err = valid.Info(t.Context())
	require.ErrorIs(t, err, access.ErrForbidden, "a proven identity without a role")

	for name, token := range map[string]string{
		"of another issuer":       foreign.Token(nil),
		"for another audience":    issuer.Token(oidctest.Claims{"aud": "billing"}),
		"expired":                 issuer.Token(oidctest.Claims{"exp": time.Now().Add(-time.Minute).Unix()}),
		"that claims to be admin": foreign.Token(oidctest.Claims{"iss": issuer.URL(), "groups": []string{access.AdminsOrganization}}),
	} {
		_, err := daemon.withToken(t, token).Identity(t.Context())
		require.ErrorIs(t, err, access.ErrUnauthenticated, name)
		require.NotContains(t, err.Error(), token, name)
	}

	// A group of the issuer is not the group of administrators of certificates.
	pretender := daemon.withToken(t, issuer.Token(oidctest.Claims{"sub": "rtmanager:admins", "groups": []string{access.AdminsOrganization, "group:" + access.AdminsOrganization}}))
	_, err = pretender.Tokens(t.Context())
	require.ErrorIs(t, err, access.ErrForbidden)
}

// An open stream ends when its token expires.
func TestStreamsEndWithTheirToken(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	ca := certtest.NewAuthority(t, "ca")
	cfg := externalSettings(t, etcdtest.Start(t).Endpoint())
	cfg.OIDCIssuer, cfg.OIDCClientID = issuer.URL(), oidctest.ClientID
	withCertificate(t, &cfg, ca, ca.IssueNode(t, cfg.Region+"/"+cfg.Node))
	daemon := start(t, cfg)
	admin := &securedPair{ca: ca, first: daemon}
	status, text := admin.admin(t).send("POST", daemon.API+"/v1/roles/grant", `{"subject":"oidc:ada","grant":"reader"}`)
	require.Equal(t, 200, status, text)

	// Ten seconds are tolerated after the expiry, since clocks differ.
	brief := admin.as(t, nil)
	brief.token = issuer.Token(oidctest.Claims{"exp": time.Now().Add(-5 * time.Second).Unix()})
	status, text = brief.send("GET", daemon.API+"/v1/watch?from_revision=1", "")
	require.Equal(t, 200, status, text)
	require.Contains(t, text, "unauthenticated", "the stream ends with the reason")
}

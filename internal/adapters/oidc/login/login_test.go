package login_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/adapters/oidc/login"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func newClient(t *testing.T, issuer *oidctest.Issuer) *login.Client {
	t.Helper()
	client, err := login.New(issuer.URL(), oidctest.ClientID, "")
	require.NoError(t, err)
	client.SetSlowDown(time.Millisecond)
	return client
}

// whenShown returns a show function that calls act with the code of the user.
func whenShown(act func(code string)) func(login.Prompt) error {
	return func(prompt login.Prompt) error {
		act(prompt.Code)
		return nil
	}
}

func TestLogin(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewTLS(t)
	ca := issuer.WriteCA()
	client, err := login.New(issuer.URL(), oidctest.ClientID, ca)
	require.NoError(t, err)
	var shown login.Prompt
	tokens, err := client.Login(t.Context(), func(prompt login.Prompt) error {
		shown = prompt
		issuer.Approve(prompt.Code, oidctest.Claims{"sub": "ada"})
		return nil
	})
	require.NoError(t, err)
	require.Equal(t, issuer.URL()+"/activate", shown.URL)
	require.Equal(t, shown.URL+"?user_code="+shown.Code, shown.CompleteURL)
	require.WithinDuration(t, time.Now().Add(oidctest.DeviceExpiry), shown.ExpiresAt, time.Minute)
	require.WithinDuration(t, time.Now().Add(time.Hour), tokens.ExpiresAt, time.Minute)

	verifier, err := oidc.New(oidc.Config{Issuer: issuer.URL(), Audience: oidctest.ClientID, CAFile: ca})
	require.NoError(t, err)
	identity, err := verifier.Verify(t.Context(), tokens.IDToken)
	require.NoError(t, err)
	require.Equal(t, "oidc:ada", identity.Subject)
}

func TestLoginWaitsForTheUser(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	approved := make(chan struct{})
	_, err := newClient(t, issuer).Login(t.Context(), whenShown(func(code string) {
		issuer.SlowDown(code)
		go func() {
			defer close(approved)
			if assert.Eventually(t, func() bool { return issuer.Polls(code) >= 3 }, time.Minute, time.Millisecond) {
				issuer.Approve(code, nil)
			}
		}()
	}))
	require.NoError(t, err)
	<-approved
	require.GreaterOrEqual(t, issuer.Polls(issuer.LatestUserCode()), 4)
}

func TestLoginsThatFail(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	for want, act := range map[error]func(string){login.ErrDenied: issuer.Deny, login.ErrExpired: issuer.Expire} {
		_, err := newClient(t, issuer).Login(t.Context(), whenShown(act))
		require.ErrorIs(t, err, want)
	}

	foreign, err := login.New(issuer.URL(), "another-client", "")
	require.NoError(t, err)
	_, err = foreign.Login(t.Context(), whenShown(func(string) { t.Error("shown") }))
	require.ErrorContains(t, err, "invalid_client")

	interrupted := errors.New("interrupted")
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err = newClient(t, issuer).Login(ctx, whenShown(func(string) { cancel(interrupted) }))
	require.ErrorIs(t, err, interrupted)
	closed := errors.New("standard output is closed")
	_, err = newClient(t, issuer).Login(t.Context(), func(login.Prompt) error { return closed })
	require.ErrorIs(t, err, closed)
}

func TestLoginSurvivesAnUnavailableIssuer(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	failures := 0
	issuer.Fail(oidctest.TokenPath, func(w http.ResponseWriter, _ *http.Request) {
		if failures++; failures == 2 {
			issuer.Fail(oidctest.TokenPath, nil)
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	})
	_, err := newClient(t, issuer).Login(t.Context(), whenShown(func(code string) { issuer.Approve(code, nil) }))
	require.NoError(t, err)
}

func TestMalformedResponses(t *testing.T) {
	t.Parallel()
	device := func(changes map[string]any) http.HandlerFunc {
		response := map[string]any{
			"device_code": "secret-device-code", "user_code": "ABCD", "verification_uri": "https://login.example.com", "interval": 0.001, "expires_in": 600,
		}
		maps.Copy(response, changes)
		return func(w http.ResponseWriter, _ *http.Request) { oidctest.WriteJSON(w, http.StatusOK, response) }
	}
	token := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	for name, test := range map[string]struct {
		path    string
		handler http.HandlerFunc
		reason  string
	}{
		"escape sequence":   {oidctest.DevicePath, device(map[string]any{"user_code": "\x1b]0;owned\x07"}), "cannot be printed"},
		"script as URL":     {oidctest.DevicePath, device(map[string]any{"verification_uri": "javascript:alert(1)"}), "verification_uri"},
		"script, with code": {oidctest.DevicePath, device(map[string]any{"verification_uri_complete": "file:///etc/passwd"}), "verification_uri"},
		"no device code":    {oidctest.DevicePath, device(map[string]any{"device_code": ""}), "device_code"},
		"garbage":           {oidctest.DevicePath, token("<html>"), "JSON"},
		"server error":      {oidctest.DevicePath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, "502"},
		"redirect": {oidctest.DevicePath, func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "https://evil.example", http.StatusFound)
		}, "302"},
		"no id token":     {oidctest.TokenPath, token(`{"access_token":"secret"}`), "no ID token"},
		"malformed token": {oidctest.TokenPath, token(`{"id_token":"a.secret.c"}`), "malformed"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := oidctest.New(t)
			if test.path == oidctest.TokenPath {
				issuer.Fail(oidctest.DevicePath, device(nil))
			}
			issuer.Fail(test.path, test.handler)
			_, err := newClient(t, issuer).Login(t.Context(), whenShown(func(string) {}))
			require.ErrorContains(t, err, test.reason)
			require.NotContains(t, err.Error(), "secret")
			require.NotContains(t, err.Error(), "\x1b")
		})
	}
}

func TestAnIssuerWithoutTheDeviceFlow(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	document := issuer.Document()
	delete(document, "device_authorization_endpoint")
	issuer.Fail(oidctest.DiscoveryPath, func(w http.ResponseWriter, _ *http.Request) { oidctest.WriteJSON(w, http.StatusOK, document) })
	_, err := newClient(t, issuer).Login(t.Context(), whenShown(func(string) {}))
	require.ErrorIs(t, err, login.ErrUnsupported)
}

func TestRefreshAndRevoke(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	client := newClient(t, issuer)
	tokens, err := client.Login(t.Context(), whenShown(func(code string) { issuer.Approve(code, oidctest.Claims{"sub": "ada"}) }))
	require.NoError(t, err)

	refreshed, err := client.Refresh(t.Context(), tokens.RefreshToken)
	require.NoError(t, err)
	require.NotEqual(t, tokens.RefreshToken, refreshed.RefreshToken)
	_, err = client.Refresh(t.Context(), tokens.RefreshToken)
	require.ErrorIs(t, err, login.ErrLoginRequired, "the issuer has replaced it")
	_, err = client.Refresh(t.Context(), "")
	require.ErrorIs(t, err, login.ErrLoginRequired)

	issuer.Fail(oidctest.TokenPath, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	_, err = client.Refresh(t.Context(), refreshed.RefreshToken)
	require.NotErrorIs(t, err, login.ErrLoginRequired)
	require.NotContains(t, err.Error(), refreshed.RefreshToken)
	issuer.Fail(oidctest.TokenPath, nil)

	require.NoError(t, client.Revoke(t.Context(), refreshed.RefreshToken))
	require.Zero(t, issuer.RefreshTokens())
	_, err = client.Refresh(t.Context(), refreshed.RefreshToken)
	require.ErrorIs(t, err, login.ErrLoginRequired)
}

func TestInvalidIssuers(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"", "http://login.example.com", "ftp://localhost", strings.Repeat("x", 10)} {
		_, err := login.New(url, "id", "")
		require.Error(t, err, url)
	}
	_, err := login.New("https://login.example.com", "", "")
	require.Error(t, err)
}

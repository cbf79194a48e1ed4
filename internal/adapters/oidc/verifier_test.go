package oidc_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

func newVerifier(t *testing.T, issuer *oidctest.Issuer, change func(*oidc.Config)) *oidc.Verifier {
	t.Helper()
	cfg := oidc.Config{Issuer: issuer.URL(), Audience: oidctest.ClientID}
	if change != nil {
		change(&cfg)
	}
	verifier, err := oidc.New(cfg)
	require.NoError(t, err)
	return verifier
}

func TestAValidTokenProvesAnIdentity(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewTLS(t)
	ca := issuer.WriteCA()
	verifier := newVerifier(t, issuer, func(cfg *oidc.Config) { cfg.CAFile = ca })
	expiry := time.Now().Add(time.Hour).Truncate(time.Second)

	identity, err := verifier.Verify(t.Context(), issuer.Token(oidctest.Claims{
		"groups": []string{"operators", "eu"}, "exp": expiry.Unix(), "aud": []string{"other", oidctest.ClientID},
	}))

	require.NoError(t, err)
	require.Equal(t, "oidc:ada", identity.Subject)
	require.Equal(t, []string{"oidc-group:operators", "oidc-group:eu"}, identity.Groups)
	require.WithinDuration(t, expiry, identity.ExpiresAt, 15*time.Second)
}

func TestAnAccessTokenIsAccepted(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	_, err := newVerifier(t, issuer, nil).Verify(t.Context(), issuer.TokenOfType("at+jwt", nil))
	require.NoError(t, err)
	_, err = newVerifier(t, issuer, nil).Verify(t.Context(), issuer.TokenOfType("logout+jwt", nil))
	require.ErrorIs(t, err, access.ErrUnauthenticated)
}

func TestRejectedClaims(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	now := time.Now()
	for name, test := range map[string]struct {
		claims oidctest.Claims
		reason string
	}{
		"wrong audience":     {oidctest.Claims{"aud": "billing"}, "audience"},
		"no audience":        {oidctest.Claims{"aud": nil}, "audience"},
		"wrong issuer":       {oidctest.Claims{"iss": "https://evil.example"}, "different provider"},
		"issuer with slash":  {oidctest.Claims{"iss": issuer.URL() + "/"}, "different provider"},
		"expired":            {oidctest.Claims{"exp": now.Add(-time.Minute).Unix()}, "expired"},
		"no expiry":          {oidctest.Claims{"exp": nil}, "expired"},
		"not yet valid":      {oidctest.Claims{"nbf": now.Add(3 * time.Minute).Unix()}, "not yet valid"},
		"issued later":       {oidctest.Claims{"iat": now.Add(3 * time.Minute).Unix()}, "not yet valid"},
		"time as text":       {oidctest.Claims{"iat": "soon"}, "claims"},
		"no subject":         {oidctest.Claims{"sub": nil}, "username"},
		"empty subject":      {oidctest.Claims{"sub": ""}, "empty"},
		"number as subject":  {oidctest.Claims{"sub": 7}, "claims"},
		"line break":         {oidctest.Claims{"sub": "ada\nadmin"}, "printed"},
		"bidi override":      {oidctest.Claims{"sub": "ada\u202enimda"}, "printed"},
		"space at the end":   {oidctest.Claims{"sub": "ada "}, "space"},
		"long subject":       {oidctest.Claims{"sub": strings.Repeat("a", 257)}, "257 bytes"},
		"group without name": {oidctest.Claims{"groups": []string{""}}, "groups"},
		"groups as object":   {oidctest.Claims{"groups": map[string]string{"admins": "no"}}, "groups"},
		"claim in capitals":  {oidctest.Claims{"SUB": "root"}, "ambiguous"},
		"claim of Unicode":   {oidctest.Claims{"i\u017fs": issuer.URL()}, "ambiguous"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier.Verify(t.Context(), issuer.Token(test.claims))
			require.ErrorIs(t, err, access.ErrUnauthenticated)
			require.ErrorContains(t, err, test.reason)
		})
	}
}

func TestClocksMayDiffer(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	soon := time.Now().Add(40 * time.Second).Unix()
	_, err := verifier.Verify(t.Context(), issuer.Token(oidctest.Claims{"nbf": soon, "iat": soon}))
	require.NoError(t, err)
}

func TestTheEmailAddressMustBeVerified(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, func(cfg *oidc.Config) { cfg.UsernameClaim, cfg.GroupsClaim = "email", "roles" })
	for _, verified := range []any{nil, false, "false", "1", 1} {
		_, err := verifier.Verify(t.Context(), issuer.Token(oidctest.Claims{"email": "ada@example.com", "email_verified": verified}))
		require.ErrorIs(t, err, access.ErrUnauthenticated, "%v", verified)
	}
	for _, verified := range []any{true, "true"} {
		identity, err := verifier.Verify(t.Context(), issuer.Token(oidctest.Claims{"email": "ada@example.com", "email_verified": verified, "roles": "dev"}))
		require.NoError(t, err, "%v", verified)
		require.Equal(t, "oidc:ada@example.com", identity.Subject)
		require.Equal(t, []string{"oidc-group:dev"}, identity.Groups)
	}
}

func TestInvalidSettings(t *testing.T) {
	t.Parallel()
	for _, cfg := range []oidc.Config{
		{Audience: "a"},
		{Audience: "a", Issuer: "http://login.example.com"},
		{Audience: "a", Issuer: "https://user:secret@login.example.com"},
		{Audience: "a", Issuer: "https://login.example.com?x=1"},
		{Audience: "a", Issuer: "ftp://localhost"},
		{Issuer: "https://login.example.com"},
		{Audience: "a", Issuer: "https://login.example.com", CAFile: "missing.pem"},
	} {
		_, err := oidc.New(cfg)
		require.Error(t, err, "%+v", cfg)
		require.NotContains(t, err.Error(), "secret")
	}
}

// The identity of a verified token is cached until the token expires.
func TestAVerifiedTokenExpires(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	var time clock
	verifier := newVerifier(t, issuer, func(cfg *oidc.Config) { cfg.Now = time.now })
	token := issuer.Token(oidctest.Claims{"exp": time.now().Add(minute).Unix()})
	for range 3 {
		identity, err := verifier.Verify(t.Context(), token)
		require.NoError(t, err)
		require.Equal(t, "oidc:ada", identity.Subject)
		_, err = verifier.Verify(t.Context(), token[:len(token)-8]+"AAAAAAAA")
		require.ErrorIs(t, err, access.ErrUnauthenticated, "another signature of the same claims")
	}
	time.advance(2 * minute)
	_, err := verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, access.ErrUnauthenticated)
	require.ErrorContains(t, err, "expired")
}

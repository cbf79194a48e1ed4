package oidc_test

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

// clock is a clock that a test advances. It differs from the real one by its value.
type clock struct{ offset atomic.Int64 }

func (c *clock) now() time.Time          { return time.Now().Add(time.Duration(c.offset.Load())) }
func (c *clock) advance(d time.Duration) { c.offset.Add(int64(d)) }
func internalError(w http.ResponseWriter, _ *http.Request) {
	http.Error(w, "secret detail", http.StatusInternalServerError)
}

func TestTheIssuerIsNotNeededAtTheStart(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	var time clock
	verifier := newVerifier(t, issuer, func(cfg *oidc.Config) { cfg.Now = time.now })
	issuer.FailAll(internalError)
	token := issuer.Token(oidctest.Claims{"exp": time.now().AddDate(1, 0, 0).Unix()})

	_, err := verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.NotErrorIs(t, err, access.ErrUnauthenticated)
	require.NotContains(t, err.Error(), "secret detail")

	issuer.FailAll(nil)
	time.advance(minute)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)

	// With cached keys, tokens are verified while the issuer is unavailable.
	issuer.FailAll(internalError)
	time.advance(20 * minute)
	_, err = verifier.Verify(t.Context(), token)
	require.NoError(t, err)

	// But not forever: the issuer may have revoked the keys.
	time.advance(24 * 60 * minute)
	_, err = verifier.Verify(t.Context(), token)
	require.ErrorIs(t, err, runtime.ErrUnavailable)
}

const minute = time.Minute

func TestKeyRotation(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	former := issuer.Token(nil)
	_, err := verifier.Verify(t.Context(), former)
	require.NoError(t, err)

	issuer.RotateKeys()
	_, err = verifier.Verify(t.Context(), issuer.Token(nil))
	require.NoError(t, err, "a new key id must be fetched")
	_, err = verifier.Verify(t.Context(), former)
	require.ErrorIs(t, err, access.ErrUnauthenticated, "the issuer has removed the former key, although the token was verified before")
}

func TestRunFetchesKeysInAdvance(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	issuer.Fail(oidctest.KeysPath, internalError)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { _ = verifier.Run(ctx) })
	require.Eventually(t, func() bool { return issuer.Requests(oidctest.KeysPath) > 0 }, 30*time.Second, time.Millisecond)
	issuer.Fail(oidctest.KeysPath, nil)
	failed := issuer.Requests(oidctest.KeysPath)
	require.Eventually(t, func() bool { return issuer.Requests(oidctest.KeysPath) > failed }, 30*time.Second, time.Millisecond, "a failed fetch is retried")
	cancel()
	running.Wait()

	issuer.FailAll(internalError)
	_, err := verifier.Verify(t.Context(), issuer.Token(nil))
	require.NoError(t, err)
	state := verifier.State()
	require.Positive(t, state.Failures)
	require.Greater(t, state.Fetches, state.Failures)
	require.WithinDuration(t, time.Now(), state.FetchedAt, minute)
}

func TestInvalidTokensDoNotLoadTheIssuer(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	var time clock
	verifier := newVerifier(t, issuer, func(cfg *oidc.Config) { cfg.Now = time.now })
	valid := issuer.Token(nil)
	_, err := verifier.Verify(t.Context(), valid)
	require.NoError(t, err)

	var clients sync.WaitGroup
	for client := range 8 {
		clients.Go(func() {
			for n := range 50 {
				token := unsigned(t, issuer, map[string]any{"alg": "ES256", "kid": fmt.Sprintf("unknown-%d-%d", client, n)}, "x")
				_, err := verifier.Verify(t.Context(), token)
				if !assertRejected(t, err) {
					return
				}
			}
		})
	}
	clients.Wait()
	require.LessOrEqual(t, issuer.Requests(oidctest.KeysPath), 4, "400 unknown key ids")

	// A new key is found when the limit has recovered.
	issuer.RotateKeys()
	time.advance(minute)
	_, err = verifier.Verify(t.Context(), issuer.Token(nil))
	require.NoError(t, err)
}

func TestMalformedDocumentsOfTheIssuer(t *testing.T) {
	t.Parallel()
	text := func(body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, body) }
	}
	evil := httptest.NewServer(text(`{"keys":[]}`))
	t.Cleanup(evil.Close)
	redirect := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, evil.URL, http.StatusFound) }
	document := func(changes map[string]any) func(*oidctest.Issuer) http.HandlerFunc {
		return func(issuer *oidctest.Issuer) http.HandlerFunc {
			changed := issuer.Document()
			maps.Copy(changed, changes)
			return func(w http.ResponseWriter, _ *http.Request) { oidctest.WriteJSON(w, http.StatusOK, changed) }
		}
	}
	always := func(handler http.HandlerFunc) func(*oidctest.Issuer) http.HandlerFunc {
		return func(*oidctest.Issuer) http.HandlerFunc { return handler }
	}
	for name, test := range map[string]struct {
		path   string
		fault  func(*oidctest.Issuer) http.HandlerFunc
		reason string
	}{
		"keys: garbage":            {oidctest.KeysPath, always(text("<html>")), "JSON"},
		"keys: too large":          {oidctest.KeysPath, always(text(strings.Repeat(" ", 1<<20))), "too large"},
		"keys: none":               {oidctest.KeysPath, always(text(`{"keys":[]}`)), "no key"},
		"keys: malformed":          {oidctest.KeysPath, always(text(`{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"},7,null]}`)), "no key"},
		"keys: symmetric":          {oidctest.KeysPath, always(text(`{"keys":[{"kty":"oct","k":"c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMw","kid":"s"}]}`)), "no key"},
		"keys: too many":           {oidctest.KeysPath, always(text(`{"keys":[` + strings.Repeat(`{},`, 100) + `{}]}`)), "101 keys"},
		"keys: error":              {oidctest.KeysPath, always(internalError), "500"},
		"keys: redirect":           {oidctest.KeysPath, always(redirect), "302"},
		"document: garbage":        {oidctest.DiscoveryPath, always(text("{")), "JSON"},
		"document: redirect":       {oidctest.DiscoveryPath, always(redirect), "302"},
		"document: another issuer": {oidctest.DiscoveryPath, document(map[string]any{"issuer": "https://evil.example"}), "another issuer"},
		"document: no keys":        {oidctest.DiscoveryPath, document(map[string]any{"jwks_uri": nil}), "no jwks_uri"},
		"document: file as keys":   {oidctest.DiscoveryPath, document(map[string]any{"jwks_uri": "file:///etc/passwd"}), "jwks_uri"},
		"document: keys by http":   {oidctest.DiscoveryPath, document(map[string]any{"jwks_uri": "http://192.0.2.1/keys"}), "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			issuer := oidctest.New(t)
			issuer.Fail(test.path, test.fault(issuer))
			_, err := newVerifier(t, issuer, nil).Verify(t.Context(), issuer.Token(nil))
			require.ErrorIs(t, err, runtime.ErrUnavailable)
			require.ErrorContains(t, err, test.reason)
			require.Less(t, len(err.Error()), 500)
		})
	}
}

func TestASlowIssuerDelaysOnlyTokensOfUnknownKeys(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	valid := issuer.Token(nil)
	_, err := verifier.Verify(t.Context(), valid)
	require.NoError(t, err)

	reached, release := make(chan struct{}), make(chan struct{})
	issuer.Fail(oidctest.DiscoveryPath, func(http.ResponseWriter, *http.Request) { close(reached); <-release })
	var waiting sync.WaitGroup
	t.Cleanup(waiting.Wait)
	unknown := unsigned(t, issuer, map[string]any{"alg": "ES256", "kid": "unknown"}, "x")
	waiting.Go(func() { _, _ = verifier.Verify(context.WithoutCancel(t.Context()), unknown) })
	t.Cleanup(func() { close(release) })
	<-reached

	_, err = verifier.Verify(t.Context(), valid)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err = verifier.Verify(ctx, unknown)
	require.Error(t, err, "a request ends with its context")
}

func TestAnIssuerOfAnotherCAIsUnavailable(t *testing.T) {
	t.Parallel()
	issuer := oidctest.NewTLS(t)
	_, err := newVerifier(t, issuer, nil).Verify(t.Context(), issuer.Token(nil))
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	require.ErrorContains(t, err, "certificate")
}

func assertRejected(t *testing.T, err error) bool {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), access.ErrUnauthenticated.Error()) {
		t.Errorf("a forged token: %v", err)
		return false
	}
	return true
}

package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/oidc"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/testkit/oidctest"
)

// unsigned returns a token with the header and an arbitrary signature.
func unsigned(t *testing.T, issuer *oidctest.Issuer, header map[string]any, signature string) string {
	t.Helper()
	head, err := json.Marshal(header)
	require.NoError(t, err)
	payload, err := json.Marshal(issuer.WithDefaults(nil))
	require.NoError(t, err)
	encode := base64.RawURLEncoding.EncodeToString
	return encode(head) + "." + encode(payload) + "." + encode([]byte(signature))
}

func TestForgedTokens(t *testing.T) {
	t.Parallel()
	issuer := oidctest.New(t)
	verifier := newVerifier(t, issuer, nil)
	valid := issuer.Token(nil)
	_, err := verifier.Verify(t.Context(), valid) // caches the keys
	require.NoError(t, err)

	publicDER, err := x509.MarshalPKIXPublicKey(issuer.PublicKey())
	require.NoError(t, err)
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	foreignRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	require.NoError(t, err)
	parts := strings.Split(valid, ".")
	otherPayload := strings.Split(issuer.Token(oidctest.Claims{"sub": "root"}), ".")[1]
	signedBy := func(alg jose.SignatureAlgorithm, key any, kid string) string {
		return issuer.Sign(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: kid}}, "JWT", nil)
	}

	for name, token := range map[string]string{
		"alg none":                    unsigned(t, issuer, map[string]any{"alg": "none", "typ": "JWT"}, "x"),
		"alg none with a key id":      unsigned(t, issuer, map[string]any{"alg": "none", "kid": issuer.KeyID()}, "x"),
		"alg None":                    unsigned(t, issuer, map[string]any{"alg": "None", "kid": issuer.KeyID()}, "x"),
		"no signature":                parts[0] + "." + parts[1] + ".",
		"HS256 with the public key":   signedBy(jose.HS256, publicDER, issuer.KeyID()),
		"another key, same id":        signedBy(jose.ES256, foreign, issuer.KeyID()),
		"another key without id":      signedBy(jose.ES256, foreign, ""),
		"another key, unknown id":     signedBy(jose.ES256, foreign, "unknown"),
		"another algorithm, same id":  signedBy(jose.RS256, foreignRSA, issuer.KeyID()),
		"key id that is a path":       signedBy(jose.ES256, foreign, "../../../dev/null"),
		"key id that is a statement":  signedBy(jose.ES256, foreign, "x' UNION SELECT 'key"),
		"key id that is a list":       unsigned(t, issuer, map[string]any{"alg": "ES256", "kid": []string{issuer.KeyID()}}, "x"),
		"key in the header":           issuer.SignEmbedded(foreign),
		"address of keys":             unsigned(t, issuer, map[string]any{"alg": "ES256", "kid": issuer.KeyID(), "jku": issuer.URL() + "/evil"}, "x"),
		"unsupported critical header": unsigned(t, issuer, map[string]any{"alg": "ES256", "kid": issuer.KeyID(), "crit": []string{"b64"}, "b64": false}, "x"),
		"other claims":                parts[0] + "." + otherPayload + "." + parts[2],
		"changed signature":           parts[0] + "." + parts[1] + "." + strings.Repeat("A", len(parts[2])),
		"JSON form":                   `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` + parts[2] + `"}`,
		"two parts":                   parts[0] + "." + parts[1],
		"four parts":                  valid + ".x",
		"white space":                 valid + "\n",
		"NUL":                         valid[:len(valid)-1] + "\x00",
		"empty":                       "",
		"too large":                   issuer.Token(oidctest.Claims{"pad": strings.Repeat("a", oidc.MaxTokenBytes)}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := verifier.Verify(t.Context(), token)
			require.ErrorIs(t, err, access.ErrUnauthenticated)
			if token != "" {
				require.NotContains(t, err.Error(), token)
			}
			require.Less(t, len(err.Error()), 400)
		})
	}
	t.Cleanup(func() {
		require.Zero(t, issuer.Requests("/evil"), "a token selected the address of keys")
		_, err := verifier.Verify(t.Context(), valid)
		require.NoError(t, err, "the forged tokens replaced the keys")
	})
}

// FuzzVerify checks that no text is accepted except tokens of the issuer, and that none
// panics.
func FuzzVerify(f *testing.F) {
	issuer := oidctest.New(f)
	verifier, err := oidc.New(oidc.Config{Issuer: issuer.URL(), Audience: oidctest.ClientID})
	require.NoError(f, err)
	valid := issuer.Token(nil)
	f.Add(valid)
	f.Add(valid[:len(valid)-4])
	f.Add("eyJhbGciOiJub25lIn0.e30.")
	f.Add(`{"payload":"e30","signatures":[{"protected":"e30","signature":"e30"}]}`)
	f.Fuzz(func(t *testing.T, token string) {
		identity, err := verifier.Verify(t.Context(), token)
		if err == nil {
			require.Equal(t, "oidc:ada", identity.Subject)
			require.Equal(t, strings.Split(valid, ".")[1], strings.Split(token, ".")[1])
		}
	})
}

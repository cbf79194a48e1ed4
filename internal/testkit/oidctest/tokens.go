package oidctest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"maps"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
)

// Claims are claims of a token. A nil value removes a claim that has a default.
type Claims map[string]any

// key is a signing key of the issuer.
type key struct {
	id      string
	private *ecdsa.PrivateKey
}

func (k key) public() jose.JSONWebKey {
	return jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: string(jose.ES256), Use: "sig"}
}

// RotateKeys replaces all keys by a new one, and returns its id.
func (i *Issuer) RotateKeys() string {
	i.t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(i.t, err)
	i.mu.Lock()
	defer i.mu.Unlock()
	k := key{id: "key-" + rand.Text()[:8], private: private}
	i.keys = []key{k}
	return k.id
}

// KeyID returns the id of the key that signs.
func (i *Issuer) KeyID() string { return i.signingKey().id }

// PublicKey returns the key that verifies tokens.
func (i *Issuer) PublicKey() crypto.PublicKey { return i.signingKey().private.Public() }

func (i *Issuer) signingKey() key {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.keys[0]
}

// WithDefaults returns the claims with those of a valid token for ClientID added.
func (i *Issuer) WithDefaults(claims Claims) Claims {
	now := time.Now()
	all := Claims{"iss": i.URL(), "aud": ClientID, "sub": "ada", "iat": now.Unix(), "exp": now.Add(time.Hour).Unix()}
	maps.Copy(all, claims)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	return all
}

// Token returns a valid token with the claims added to, or replacing, those of WithDefaults.
func (i *Issuer) Token(claims Claims) string {
	i.t.Helper()
	k := i.signingKey()
	return i.Sign(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, "JWT", claims)
}

// TokenOfType is like Token, with another type in the header.
func (i *Issuer) TokenOfType(tokenType string, claims Claims) string {
	i.t.Helper()
	k := i.signingKey()
	return i.Sign(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, tokenType, claims)
}

// Sign returns a token that any key signs, for example one that the issuer does not have.
func (i *Issuer) Sign(with jose.SigningKey, tokenType string, claims Claims) string {
	i.t.Helper()
	return i.sign(with, (&jose.SignerOptions{}).WithType(jose.ContentType(tokenType)), claims)
}

// SignEmbedded returns a token whose header has the key that verifies it.
func (i *Issuer) SignEmbedded(private *ecdsa.PrivateKey) string {
	i.t.Helper()
	return i.sign(jose.SigningKey{Algorithm: jose.ES256, Key: private}, &jose.SignerOptions{EmbedJWK: true}, nil)
}

func (i *Issuer) sign(with jose.SigningKey, options *jose.SignerOptions, claims Claims) string {
	i.t.Helper()
	payload, err := json.Marshal(i.WithDefaults(claims))
	require.NoError(i.t, err)
	signer, err := jose.NewSigner(with, options)
	require.NoError(i.t, err)
	signed, err := signer.Sign(payload)
	require.NoError(i.t, err)
	token, err := signed.CompactSerialize()
	require.NoError(i.t, err)
	return token
}

package oidc

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"slices"

	"github.com/go-jose/go-jose/v4"
)

// usableKeys returns the keys that may verify tokens: public keys for signatures, of
// sufficient size. A symmetric key that an issuer publishes by mistake could sign.
func usableKeys(keys []jose.JSONWebKey) []jose.JSONWebKey {
	return slices.DeleteFunc(keys, func(key jose.JSONWebKey) bool { return !isUsable(key) })
}

func isUsable(key jose.JSONWebKey) bool {
	if !key.Valid() || key.Use != "" && key.Use != "sig" {
		return false
	}
	switch public := key.Key.(type) {
	case *rsa.PublicKey:
		return public.N.BitLen() >= minRSABits
	case *ecdsa.PublicKey, ed25519.PublicKey:
		return true
	default:
		return false
	}
}

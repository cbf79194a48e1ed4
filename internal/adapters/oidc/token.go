package oidc

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-jose/go-jose/v4"
)

// MaxTokenBytes is the maximum size of a token. A larger one is rejected before it is parsed.
const MaxTokenBytes = 8 << 10

// minRSABits is the minimum size of an RSA key that signs tokens.
const minRSABits = 2048

// signingAlgorithms returns the accepted algorithms. All are public key algorithms: with a
// symmetric one, the issuer's public key could sign.
func signingAlgorithms() []jose.SignatureAlgorithm {
	return []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	}
}

// checkForm rejects a text that is not the compact form of a signed token. The other form,
// a JSON document, may have several signatures and unprotected headers.
func checkForm(token string) error {
	if len(token) > MaxTokenBytes {
		return fmt.Errorf("it has %d bytes, and %d are allowed", len(token), MaxTokenBytes)
	}
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return errors.New("it does not have three parts")
	}
	for _, part := range parts {
		if part == "" || strings.ContainsFunc(part, func(c rune) bool { return !isBase64URL(c) }) {
			return errors.New("a part is empty or not in base64url")
		}
	}
	return nil
}

func isBase64URL(c rune) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '-' || c == '_'
}

// checkType rejects a token that is for another purpose, such as a logout token. The media
// type may be abbreviated (RFC 7515, 4.1.9), and older issuers omit it.
func checkType(header jose.Header) error {
	value, isSet := header.ExtraHeaders[jose.HeaderType]
	if !isSet {
		return nil
	}
	text, _ := value.(string)
	switch strings.TrimPrefix(strings.ToLower(text), "application/") {
	case "jwt", "at+jwt":
		return nil
	}
	return fmt.Errorf("its type %.32q is not JWT or at+jwt", text)
}

package access

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"errors"
	"fmt"
	"strings"
	"time"
)

// tokenPrefix starts every token, so that scanners for leaked secrets recognize one.
const tokenPrefix = "rtm_"

// Sizes of the parts of a token.
const (
	tokenIDBytes     = 10
	tokenSecretBytes = 32
)

// Token is a static credential. The secret itself is not kept.
type Token struct {
	// Name names the token; its identity is token:NAME.
	Name string `json:"name"`
	// ID is the public part of the token's text.
	ID string `json:"id"`
	// Hash is the SHA-256 of the secret part. The secret has 256 random bits, so that a slow
	// hash or a salt would add nothing.
	Hash []byte `json:"hash"`
	// Grants are the rights of the token, in addition to the bindings of its subject.
	Grants    []Grant   `json:"grants"`
	CreatedAt time.Time `json:"created_at"`
	CreatedBy string    `json:"created_by,omitempty"`
	// ExpiresAt is the end of its validity; zero for none.
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	// LastUsedAt is when the token was last used, to about ten minutes; zero for never.
	LastUsedAt time.Time `json:"-"`
}

// encoding is that of the random parts: lower case, without characters of the format. It is
// never changed.
var encoding = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// NewToken returns a token with a new id and secret, and its text rtm_ID_SECRET, which is not
// kept.
func NewToken(name string) (token Token, text string) {
	id, secret := make([]byte, tokenIDBytes), make([]byte, tokenSecretBytes)
	_, _ = rand.Read(id) // it never fails
	_, _ = rand.Read(secret)
	token = Token{Name: name, ID: encoding.EncodeToString(id)}
	encoded := encoding.EncodeToString(secret)
	token.Hash = hashOf(encoded)
	return token, tokenPrefix + token.ID + "_" + encoded
}

// IsToken reports whether the text may be the text of a token.
func IsToken(text string) bool { return strings.HasPrefix(text, tokenPrefix) }

// ParseToken returns the parts of the text of a token, and false for any other text.
func ParseToken(text string) (id, secret string, isToken bool) {
	rest, hasPrefix := strings.CutPrefix(text, tokenPrefix)
	id, secret, hasBoth := strings.Cut(rest, "_")
	isToken = hasPrefix && hasBoth && len(id) == encoding.EncodedLen(tokenIDBytes) && len(secret) == encoding.EncodedLen(tokenSecretBytes)
	if !isToken {
		return "", "", false
	}
	return id, secret, true
}

func hashOf(secret string) []byte {
	hash := sha256.Sum256([]byte(secret))
	return hash[:]
}

// matches compares the secret in constant time.
func (t Token) matches(secret string) bool {
	want := t.Hash
	if len(want) != sha256.Size {
		want = make([]byte, sha256.Size) // no token: no secret has this hash
	}
	return subtle.ConstantTimeCompare(hashOf(secret), want) == 1
}

// IsExpired reports whether the token has expired at a time.
func (t Token) IsExpired(now time.Time) bool {
	return !t.ExpiresAt.IsZero() && !now.Before(t.ExpiresAt)
}

// Validate returns an error that names what is invalid.
func (t Token) Validate() error {
	if err := ValidateTokenName(t.Name); err != nil {
		return err
	}
	if len(t.Hash) != sha256.Size || t.ID == "" {
		return errors.New("a token needs an id and a hash of SHA-256")
	}
	if len(t.Grants) > maxGrants {
		return fmt.Errorf("token %s has %d grants; at most %d are allowed", t.Name, len(t.Grants), maxGrants)
	}
	for _, grant := range t.Grants {
		if err := grant.Validate(); err != nil {
			return err
		}
	}
	return nil
}

// ValidateTokenName returns an error if the text cannot name a token.
func ValidateTokenName(name string) error {
	if err := validateName(name); err != nil {
		return fmt.Errorf("token name %.64q %w", name, err)
	}
	return nil
}

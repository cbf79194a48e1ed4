package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/access"
)

// forwardedIdentity is the JSON of HeaderForwardedIdentity.
type forwardedIdentity struct {
	Subject   string        `json:"subject"`
	Groups    []string      `json:"groups,omitempty"`
	Method    access.Method `json:"method"`
	TokenID   string        `json:"token_id,omitempty"`
	ExpiresAt time.Time     `json:"expires_at,omitzero"`
}

// maxIdentityBytes bounds the header of a forwarded identity. It has space for all groups of a token
// of 8 KiB, each with its prefix and percent-encoded, and leaves space for the other headers.
const maxIdentityBytes = 40 << 10

// EncodeIdentity returns the value of HeaderForwardedIdentity.
func EncodeIdentity(identity access.Identity) string {
	return EncodeHeaderText(string(bytes.TrimSpace(Encode(forwardedIdentity{
		Subject: identity.Subject, Groups: identity.Groups, Method: identity.Method,
		TokenID: identity.TokenID, ExpiresAt: identity.ExpiresAt,
	}))))
}

// DecodeIdentity is the inverse of EncodeIdentity. It returns an error for any value that names
// no subject of role bindings; a daemon never forwards its own identity.
func DecodeIdentity(value string) (access.Identity, error) {
	text, isValid := DecodeHeaderText(value)
	if !isValid || len(value) > maxIdentityBytes {
		return access.Identity{}, errors.New("is not the header of an identity")
	}
	var decoded forwardedIdentity
	if err := json.Unmarshal([]byte(text), &decoded); err != nil {
		return access.Identity{}, fmt.Errorf("is not the JSON of an identity: %w", err)
	}
	if err := access.ValidateSubject(decoded.Subject); err != nil {
		return access.Identity{}, err
	}
	for _, group := range decoded.Groups {
		if err := access.ValidateSubject(group); err != nil {
			return access.Identity{}, err
		}
	}
	return access.Identity{
		Subject: decoded.Subject, Groups: decoded.Groups, Method: decoded.Method, TokenID: decoded.TokenID, ExpiresAt: decoded.ExpiresAt,
	}, nil
}

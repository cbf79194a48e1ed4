package api

import (
	"time"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/operation"
)

// Authentication is the response of GET /v1/auth: how callers of this daemon prove their
// identity.
type Authentication struct {
	Required bool  `json:"required" doc:"Whether requests need an identity"`
	OIDC     *OIDC `json:"oidc,omitempty" doc:"The identity provider; absent without one"`
}

// OIDC names an identity provider.
type OIDC struct {
	Issuer   string `json:"issuer" doc:"The URL of the issuer"`
	ClientID string `json:"client_id" doc:"The client with which users log in"`
}

// Identity is the response of GET /v1/whoami.
type Identity struct {
	Subject   string         `json:"subject" doc:"The subject; empty if the daemon does not authenticate callers"`
	Groups    []string       `json:"groups" nullable:"false" doc:"The groups of the subject"`
	Method    access.Method  `json:"method" doc:"How the identity was proven"`
	ExpiresAt *time.Time     `json:"expires_at,omitempty" doc:"When the proof expires; absent for never"`
	Grants    []access.Grant `json:"grants" nullable:"false" doc:"The roles of the subject, each with its scope"`
}

// Decision is the response of GET /v1/can-i.
type Decision struct {
	Allowed    bool              `json:"allowed" doc:"Whether the subject has the permission"`
	Subject    string            `json:"subject" doc:"The subject; empty if the daemon does not authenticate callers"`
	Permission access.Permission `json:"permission" doc:"The permission that the verb needs"`
	Reason     string            `json:"reason,omitempty" doc:"Why the subject does not have the permission"`
}

// Tokens is the response of GET /v1/tokens.
type Tokens struct {
	Items []Token `json:"items" nullable:"false" doc:"The tokens, by name"`
}

// Token describes a token without its secret.
type Token struct {
	Name       string         `json:"name" doc:"The name; the subject is token:NAME"`
	Grants     []access.Grant `json:"grants" nullable:"false" doc:"The roles of the token, each with its scope"`
	CreatedAt  time.Time      `json:"created_at" doc:"The time of its creation"`
	CreatedBy  string         `json:"created_by,omitempty" doc:"The subject that created it"`
	ExpiresAt  *time.Time     `json:"expires_at,omitempty" doc:"When it expires; absent for never"`
	LastUsedAt *time.Time     `json:"last_used_at,omitempty" doc:"When it was last used, to about ten minutes; absent for never"`
}

// TokenFrom returns the description of a token.
func TokenFrom(token access.Token) Token {
	described := Token{Name: token.Name, Grants: token.Grants, CreatedAt: token.CreatedAt, CreatedBy: token.CreatedBy}
	if described.Grants == nil {
		described.Grants = []access.Grant{}
	}
	described.ExpiresAt, described.LastUsedAt = optionalTime(token.ExpiresAt), optionalTime(token.LastUsedAt)
	return described
}

func optionalTime(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// TokenRequest is the body of POST /v1/tokens.
type TokenRequest struct {
	Name      string             `json:"name" doc:"The name, unique among the tokens"`
	Grants    []access.Grant     `json:"grants,omitempty" nullable:"false" doc:"The roles of the token, each with its scope"`
	ExpiresIn operation.Duration `json:"expires_in,omitzero" doc:"The time until it expires, such as 720h; absent for never"`
}

// NewToken is the response of POST /v1/tokens.
type NewToken struct {
	Token
	Text string `json:"text" doc:"The text of the token, which cannot be read a second time"`
}

// Roles is the response of GET /v1/roles.
type Roles struct {
	Items []access.Binding `json:"items" nullable:"false" doc:"The role bindings, by subject"`
}

// RoleChange is the body of POST /v1/roles/grant and of POST /v1/roles/revoke.
type RoleChange struct {
	Subject string `json:"subject" doc:"The subject or group, such as user:ada, token:ci, oidc:ada@example.com, group:ops or oidc-group:ops"`
	Grant   string `json:"grant,omitempty" doc:"ROLE[/LABEL=VALUE,…][@REGION,…][:GAMES,…], such as operator/env=prod@eu,us:chess-*. A revocation without it removes every role of the subject"`
}

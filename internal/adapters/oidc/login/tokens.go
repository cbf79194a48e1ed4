package login

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
)

// Tokens are the tokens of a login.
type Tokens struct {
	// IDToken proves the identity of the user until ExpiresAt.
	IDToken   string
	ExpiresAt time.Time
	// RefreshToken gets the next IDToken. It may be empty.
	RefreshToken string
}

// tokenResponse is the response of the token endpoint.
type tokenResponse struct {
	IDToken      string `json:"id_token"`
	RefreshToken string `json:"refresh_token"`
}

// tokens returns the tokens of a response. The daemon verifies the ID token; this client has
// it from the issuer's own address.
func (r tokenResponse) tokens() (Tokens, error) {
	expiry, err := expiryOf(r.IDToken)
	if err != nil {
		return Tokens{}, fmt.Errorf("the issuer's response: %w", err)
	}
	return Tokens{IDToken: r.IDToken, ExpiresAt: expiry, RefreshToken: r.RefreshToken}, nil
}

// expiryOf returns the expiry of an ID token, without verifying the token.
func expiryOf(token string) (time.Time, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return time.Time{}, errors.New("it has no ID token")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	var claims struct {
		Expiry float64 `json:"exp"`
	}
	if err != nil || json.Unmarshal(payload, &claims) != nil || claims.Expiry <= 0 || claims.Expiry > 1e11 {
		return time.Time{}, errors.New("its ID token is malformed or has no expiry")
	}
	return time.Unix(int64(claims.Expiry), 0).UTC(), nil
}

// Refresh returns new tokens for a refresh token, which some issuers make invalid: the
// caller must store the result. It fails with ErrLoginRequired if the refresh token is not
// valid any more.
func (c *Client) Refresh(ctx context.Context, refreshToken string) (Tokens, error) {
	if refreshToken == "" {
		return Tokens{}, ErrLoginRequired
	}
	document, err := c.discover(ctx)
	if err != nil {
		return Tokens{}, err
	}
	form := url.Values{"client_id": {c.clientID}, "grant_type": {"refresh_token"}, "refresh_token": {refreshToken}}
	var response tokenResponse
	err = c.issuer.PostForm(ctx, document.TokenURL, form, &response)
	var rejected *issuer.OAuthError
	switch {
	case errors.As(err, &rejected) && rejected.Code == "invalid_grant":
		return Tokens{}, ErrLoginRequired
	case err != nil:
		return Tokens{}, fmt.Errorf("refresh the login at issuer %s: %w", c.url, err)
	}
	tokens, err := response.tokens()
	if err != nil {
		return Tokens{}, fmt.Errorf("refresh the login at issuer %s: %w", c.url, err)
	}
	if tokens.RefreshToken == "" {
		tokens.RefreshToken = refreshToken
	}
	return tokens, nil
}

// Revoke makes a refresh token invalid (RFC 7009), if the issuer supports that. The ID token
// stays valid until it expires.
func (c *Client) Revoke(ctx context.Context, refreshToken string) error {
	document, err := c.discover(ctx)
	if err != nil || document.RevocationURL == "" || refreshToken == "" {
		return err
	}
	form := url.Values{"client_id": {c.clientID}, "token": {refreshToken}, "token_type_hint": {"refresh_token"}}
	if err := c.issuer.PostForm(ctx, document.RevocationURL, form, nil); err != nil {
		return fmt.Errorf("revoke the login at issuer %s: %w", c.url, err)
	}
	return nil
}

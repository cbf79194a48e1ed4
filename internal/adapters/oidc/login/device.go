package login

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
	"galaxy/rtmanager/internal/wait"
)

const (
	defaultInterval = 5 * time.Second // RFC 8628, 3.2
	maxInterval     = time.Minute
	slowDown        = 5 * time.Second // RFC 8628, 3.5
	// maxCodeLifetime bounds how long a client polls.
	maxCodeLifetime = time.Hour
)

// Prompt is what the user needs to log in.
type Prompt struct {
	// URL is the page where the user enters Code.
	URL, Code string
	// CompleteURL is the page with the code entered; it may be empty.
	CompleteURL string
	// ExpiresAt is when the code expires.
	ExpiresAt time.Time
}

// authorization is the response of the device authorization endpoint.
type authorization struct {
	DeviceCode  string  `json:"device_code"`
	UserCode    string  `json:"user_code"`
	URL         string  `json:"verification_uri"`
	CompleteURL string  `json:"verification_uri_complete"`
	ExpiresIn   float64 `json:"expires_in"` // seconds
	Interval    float64 `json:"interval"`   // seconds
}

// Login runs the device authorization flow. It calls show once with what the user needs, and
// then polls until the user has logged in. It fails with ErrDenied, ErrExpired or
// ErrUnsupported, with the error of ctx, or with that of show. While the issuer does not
// respond, it keeps polling less often.
func (c *Client) Login(ctx context.Context, show func(Prompt) error) (Tokens, error) {
	document, err := c.discover(ctx)
	if err != nil {
		return Tokens{}, err
	}
	if document.DeviceURL == "" {
		return Tokens{}, fmt.Errorf("issuer %s: %w", c.url, ErrUnsupported)
	}
	form := url.Values{"client_id": {c.clientID}, "scope": {scopes(document.ScopesOffered)}}
	var granted authorization
	if err := c.issuer.PostForm(ctx, document.DeviceURL, form, &granted); err != nil {
		return Tokens{}, fmt.Errorf("request a login at issuer %s: %w", c.url, err)
	}
	prompt, err := granted.prompt()
	if err != nil {
		return Tokens{}, fmt.Errorf("request a login at issuer %s: %w", c.url, err)
	}
	if err := show(prompt); err != nil {
		return Tokens{}, err
	}
	return c.poll(ctx, document.TokenURL, granted, prompt.ExpiresAt)
}

// scopes returns the requested scopes: openid, and what of the user's name, groups and a
// refresh token the issuer offers. Some issuers reject a scope that they do not offer.
func scopes(offered []string) string {
	requested := []string{"openid"}
	for _, scope := range []string{"profile", "email", "groups", "offline_access"} {
		if slices.Contains(offered, scope) {
			requested = append(requested, scope)
		}
	}
	return strings.Join(requested, " ")
}

// prompt returns what the user needs. It rejects text that would change a terminal, and
// a URL that is not one of the web.
func (a authorization) prompt() (Prompt, error) {
	for _, text := range []string{a.UserCode, a.URL, a.CompleteURL} {
		if strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			return Prompt{}, errors.New("the response has characters that cannot be printed")
		}
	}
	for _, text := range []string{a.URL, cmp.Or(a.CompleteURL, a.URL)} {
		if u, err := url.Parse(text); err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Host == "" {
			return Prompt{}, errors.New("the response has no valid verification_uri")
		}
	}
	if a.DeviceCode == "" || a.UserCode == "" {
		return Prompt{}, errors.New("the response has no device_code or no user_code")
	}
	lifetime := seconds(a.ExpiresIn, maxCodeLifetime, maxCodeLifetime)
	return Prompt{URL: a.URL, Code: a.UserCode, CompleteURL: a.CompleteURL, ExpiresAt: time.Now().Add(lifetime)}, nil
}

// seconds returns a duration of at most limit, and fallback for a number that is not positive.
func seconds(n float64, fallback, limit time.Duration) time.Duration {
	if !(n > 0) {
		return fallback
	}
	return time.Duration(min(n, limit.Seconds()) * float64(time.Second))
}

// poll requests the tokens until the user has logged in or the code expires.
func (c *Client) poll(ctx context.Context, tokenURL string, granted authorization, expires time.Time) (Tokens, error) {
	ctx, cancel := context.WithDeadlineCause(ctx, expires, ErrExpired)
	defer cancel()
	form := url.Values{
		"client_id": {c.clientID}, "device_code": {granted.DeviceCode}, "grant_type": {"urn:ietf:params:oauth:grant-type:device_code"},
	}
	interval := seconds(granted.Interval, defaultInterval, maxInterval)
	for {
		if err := wait.For(ctx, interval); err != nil {
			return Tokens{}, err
		}
		var response tokenResponse
		err := c.issuer.PostForm(ctx, tokenURL, form, &response)
		var rejected *issuer.OAuthError
		switch {
		case err == nil:
			return response.tokens()
		case ctx.Err() != nil:
			return Tokens{}, context.Cause(ctx)
		case !errors.As(err, &rejected):
			interval = min(2*interval, maxInterval) // the issuer does not respond (RFC 8628, 3.5)
			continue
		}
		switch rejected.Code {
		case "authorization_pending":
		case "slow_down":
			interval += c.slowDown
		case "access_denied":
			return Tokens{}, ErrDenied
		case "expired_token":
			return Tokens{}, ErrExpired
		default:
			return Tokens{}, fmt.Errorf("log in at issuer %s: %w", c.url, rejected)
		}
	}
}

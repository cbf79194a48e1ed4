package oidc

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"galaxy/rtmanager/internal/domain/access"
)

const (
	// expiryTolerance is how long after its expiry a token is accepted, because the clocks
	// of issuer and daemon differ.
	expiryTolerance = 10 * time.Second
	// futureTolerance is how far in the future a token may start or be issued.
	futureTolerance = time.Minute
	// maxNameBytes bounds a username and a group.
	maxNameBytes = 256
)

// claims are the claims of a verified token. Unlike the fields of a struct, their names are
// case-sensitive: no claim can replace another.
type claims map[string]json.RawMessage

// identity returns the identity of a token whose signature, issuer, audience and expiry are
// verified.
func (v *Verifier) identity(token *gooidc.IDToken) (access.Identity, error) {
	var c claims
	if err := token.Claims(&c); err != nil {
		return access.Identity{}, errors.New("its claims are not a JSON object")
	}
	if err := errors.Join(c.checkSpelling(), c.checkTimes(v.cfg.Now())); err != nil {
		return access.Identity{}, err
	}
	username, err := c.username(v.cfg.UsernameClaim)
	if err != nil {
		return access.Identity{}, err
	}
	groups, err := c.groups(v.cfg.GroupsClaim)
	if err != nil {
		return access.Identity{}, err
	}
	for i := range groups {
		groups[i] = access.PrefixOIDCGroup + groups[i]
	}
	return access.Identity{
		Subject: access.PrefixOIDC + username, Groups: groups, Method: access.MethodOIDC, ExpiresAt: token.Expiry.Add(expiryTolerance),
	}, nil
}

// checkSpelling rejects a claim whose name is that of a verified claim in other letter case.
// The library that has verified the claims ignores the case of names.
func (c claims) checkSpelling() error {
	for name := range c {
		for _, verified := range []string{"iss", "sub", "aud", "exp", "iat", "nbf"} {
			if name != verified && strings.EqualFold(name, verified) {
				return fmt.Errorf("its claim %q is ambiguous with %q", name, verified)
			}
		}
	}
	return nil
}

// checkTimes rejects a token that starts or was issued in the future.
func (c claims) checkTimes(now time.Time) error {
	for _, name := range []string{"nbf", "iat"} {
		value, isSet := c[name]
		if !isSet {
			continue
		}
		var seconds float64
		if err := json.Unmarshal(value, &seconds); err != nil {
			return fmt.Errorf("its claim %s is not a time in seconds", name)
		}
		if seconds > float64(now.Add(futureTolerance).Unix()) {
			return fmt.Errorf("it is not yet valid: its claim %s is in the future", name)
		}
	}
	return nil
}

// username returns the value of the claim. An email address must be verified by the issuer:
// otherwise a user could choose the address of another.
func (c claims) username(name string) (string, error) {
	var username string
	if json.Unmarshal(c[name], &username) != nil {
		return "", fmt.Errorf("its claim %q, the username, is missing or not a text", name)
	}
	if err := checkName(username); err != nil {
		return "", fmt.Errorf("its claim %q, the username, %w", name, err)
	}
	if name == "email" && !slices.Contains([]string{`true`, `"true"`}, string(c["email_verified"])) {
		return "", errors.New(`its claim "email" is not verified by the issuer`)
	}
	return username, nil
}

// groups returns the values of the claim. An invalid group rejects the token: without it,
// rights that it takes away would be ignored.
func (c claims) groups(name string) ([]string, error) {
	value, isSet := c[name]
	if !isSet || string(value) == "null" {
		return nil, nil
	}
	var groups []string
	var group string
	if json.Unmarshal(value, &group) == nil {
		groups = []string{group}
	} else if err := json.Unmarshal(value, &groups); err != nil {
		return nil, fmt.Errorf("its claim %q, the groups, is not a list of texts", name)
	}
	for _, group := range groups {
		if err := checkName(group); err != nil {
			return nil, fmt.Errorf("its claim %q, the groups, %w", name, err)
		}
	}
	return groups, nil
}

// checkName rejects a name that a log or a list would not show as it is.
func checkName(name string) error {
	switch {
	case name == "":
		return errors.New("is empty")
	case len(name) > maxNameBytes:
		return fmt.Errorf("has %d bytes, and %d are allowed", len(name), maxNameBytes)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(c rune) bool { return !unicode.IsPrint(c) }):
		return errors.New("contains a character that cannot be printed")
	case strings.TrimSpace(name) != name:
		return errors.New("starts or ends with a space")
	}
	return nil
}

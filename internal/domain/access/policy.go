package access

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// Policy is the state of all bindings and tokens at one revision. It is immutable, and safe for
// concurrent use.
type Policy struct {
	bindings map[string]Binding // by subject
	tokens   map[string]Token   // by name
	byID     map[string]string  // names of tokens by id
}

// NewPolicy returns the policy of the bindings and tokens.
func NewPolicy(bindings []Binding, tokens []Token) *Policy {
	p := &Policy{bindings: map[string]Binding{}, tokens: map[string]Token{}, byID: map[string]string{}}
	for _, b := range bindings {
		p.bindings[b.Subject] = b
	}
	for _, t := range tokens {
		p.tokens[t.Name], p.byID[t.ID] = t, t.Name
	}
	return p
}

// Token returns the token of a name.
func (p *Policy) Token(name string) (Token, bool) {
	token, exists := p.tokens[name]
	return token, exists
}

// Authenticate returns the identity that the text of a token proves at a time. It returns an
// *UnauthenticatedError with the same text for every token that does not exist, so that
// responses do not disclose which part is wrong.
func (p *Policy) Authenticate(text string, now time.Time) (Identity, error) {
	id, secret, isToken := ParseToken(text)
	token, exists := p.tokens[p.byID[id]]
	// Compare the hash in any case: the duration must not disclose whether the id exists.
	matches := token.matches(secret)
	switch {
	case !isToken || !exists || !matches:
		return Identity{}, &UnauthenticatedError{Reason: "the token is not valid here", IsUnknown: !exists}
	case token.IsExpired(now):
		return Identity{}, &UnauthenticatedError{Reason: "the token " + token.Name + " has expired"}
	}
	return Identity{Subject: PrefixToken + token.Name, Method: MethodToken, TokenID: token.ID, ExpiresAt: token.ExpiresAt}, nil
}

// RightsOf returns the rights of an identity at a time. It returns false if its token does not
// exist any more, was replaced by another token of the same name, or has expired.
func (p *Policy) RightsOf(identity Identity, now time.Time) (Rights, bool) {
	if !identity.ExpiresAt.IsZero() && !now.Before(identity.ExpiresAt) {
		return Rights{}, false
	}
	if _, isNode := identity.Node(); isNode {
		return RightsOf([]Grant{{Role: RoleNode}}), true
	}
	var grants []Grant
	if name, isToken := strings.CutPrefix(identity.Subject, PrefixToken); isToken {
		token, exists := p.tokens[name]
		isReplaced := identity.TokenID != "" && identity.TokenID != token.ID
		if !exists || isReplaced || token.IsExpired(now) {
			return Rights{}, false
		}
		grants = append(grants, token.Grants...)
	}
	grants = append(grants, p.bindings[identity.Subject].Grants...)
	for _, group := range identity.Groups {
		if group == adminsGroup {
			// A broken binding must not lock out the administrators, so that they can repair it.
			grants = append(grants, Grant{Role: RoleAdmin})
			continue
		}
		grants = append(grants, p.bindings[group].Grants...)
	}
	return RightsOf(grants), true
}

// Tokens returns all tokens, by name in ascending order.
func (p *Policy) Tokens() []Token {
	return slices.SortedFunc(maps.Values(p.tokens), func(a, b Token) int { return strings.Compare(a.Name, b.Name) })
}

// Bindings returns all bindings, by subject in ascending order.
func (p *Policy) Bindings() []Binding {
	return slices.SortedFunc(maps.Values(p.bindings), func(a, b Binding) int { return strings.Compare(a.Subject, b.Subject) })
}

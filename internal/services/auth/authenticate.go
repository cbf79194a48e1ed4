package auth

import (
	"context"
	"errors"
	"strings"

	"galaxy/rtmanager/internal/domain/access"
)

// Authenticate returns the identity that the credentials prove. A bearer token takes precedence
// over a client certificate, except that of a daemon. It returns
//
//   - access.ErrUnauthenticated, as a *access.UnauthenticatedError, without valid credentials,
//   - runtime.ErrUnavailable if an identity provider is needed and cannot be reached.
func (s *Service) Authenticate(ctx context.Context, credentials access.Credentials) (access.Identity, error) {
	if len(credentials.Certificates) > 0 {
		identity, err := access.FromCertificate(credentials.Certificates[0])
		_, isNode := identity.Node()
		if isNode || credentials.Bearer == "" {
			return identity, err
		}
	}
	switch {
	case credentials.Bearer == "":
		return access.Identity{}, &access.UnauthenticatedError{Reason: "send a client certificate, or a token in the header Authorization: Bearer"}
	case access.IsToken(credentials.Bearer):
		return s.authenticateToken(ctx, credentials.Bearer)
	case s.deps.OIDC == nil:
		return access.Identity{}, &access.UnauthenticatedError{Reason: "the token is not valid here"}
	default:
		return s.deps.OIDC.Verify(ctx, credentials.Bearer)
	}
}

func (s *Service) authenticateToken(ctx context.Context, text string) (access.Identity, error) {
	identity, err := s.current.Load().policy.Authenticate(text, s.cfg.Clock())
	var rejected *access.UnauthenticatedError
	if errors.As(err, &rejected) && rejected.IsUnknown {
		s.refreshForUnknownToken(ctx)
		identity, err = s.current.Load().policy.Authenticate(text, s.cfg.Clock())
	}
	if err == nil {
		s.recordUse(strings.TrimPrefix(identity.Subject, access.PrefixToken))
	}
	return identity, err
}

// EnsureKnown reads the policy if it lacks the token of an identity that another daemon has
// authenticated, or has an earlier token of the same name.
func (s *Service) EnsureKnown(ctx context.Context, identity access.Identity) {
	name, isToken := strings.CutPrefix(identity.Subject, access.PrefixToken)
	if !isToken {
		return
	}
	token, exists := s.current.Load().policy.Token(name)
	if !exists || identity.TokenID != "" && identity.TokenID != token.ID {
		s.refreshForUnknownToken(ctx)
	}
}

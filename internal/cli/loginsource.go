package cli

import (
	"context"
	"errors"
	"sync"
	"time"

	"galaxy/rtmanager/internal/adapters/oidc/login"
	"galaxy/rtmanager/internal/cli/internal/clientconfig"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/domain/access"
)

// refreshMargin is how long before its expiry a login is refreshed.
const refreshMargin = 30 * time.Second

// loginSource is the bearer token of a login, which it refreshes. It is safe for concurrent
// use.
type loginSource struct {
	store   clientconfig.Store
	context string

	mu    sync.Mutex
	login clientconfig.Login
}

// Token returns the ID token. It refreshes a login that expires soon, and stores the result.
// If the identity provider is unavailable, it returns the present token until that expires.
func (s *loginSource) Token(ctx context.Context) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if expiresSoon(s.login) {
		err := s.refresh(ctx)
		if err != nil && (errors.Is(err, login.ErrLoginRequired) || !time.Now().Before(s.login.ExpiresAt)) {
			return "", err
		}
	}
	return s.login.IDToken, nil
}

func expiresSoon(l clientconfig.Login) bool { return time.Until(l.ExpiresAt) < refreshMargin }

// refresh gets the next tokens. The file is locked for that time: a refresh token may be valid
// once, and another process may have used it.
func (s *loginSource) refresh(ctx context.Context) error {
	err := s.store.Update(func(file *clientconfig.File) error {
		current := file.Contexts[s.context]
		if current.Login == nil || current.Login.Issuer != s.login.Issuer {
			return login.ErrLoginRequired
		}
		if expiresSoon(*current.Login) {
			if err := refreshLogin(ctx, current.Login); err != nil {
				return err
			}
			file.Contexts[s.context] = current
		}
		s.login = *current.Login
		return nil
	})
	if errors.Is(err, login.ErrLoginRequired) {
		return exit.HintError{Err: errors.Join(access.ErrUnauthenticated, err), Hint: "`rtmanager login` logs in"}
	}
	return err
}

func refreshLogin(ctx context.Context, l *clientconfig.Login) error {
	client, err := login.New(l.Issuer, l.ClientID, l.CACert)
	if err != nil {
		return err
	}
	tokens, err := client.Refresh(ctx, l.RefreshToken)
	if err != nil {
		return err
	}
	l.SetTokens(tokens.IDToken, tokens.RefreshToken, tokens.ExpiresAt)
	return nil
}

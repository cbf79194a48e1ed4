package auth

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Tokens returns all tokens, by name.
func (s *Service) Tokens(ctx context.Context) ([]access.Token, error) {
	policy, err := s.deps.Store.Policy(ctx)
	if err != nil {
		return nil, err
	}
	return policy.Tokens(), nil
}

// Bindings returns all role bindings, by subject.
func (s *Service) Bindings(ctx context.Context) ([]access.Binding, error) {
	policy, err := s.deps.Store.Policy(ctx)
	if err != nil {
		return nil, err
	}
	return policy.Bindings(), nil
}

// CreateToken creates a token with the grants, which expires after lifetime; 0 is never. It
// returns the token and its text, which is kept nowhere. It returns access.ErrExists for a name
// in use, and runtime.ErrInvalid for an invalid name or grant.
func (s *Service) CreateToken(ctx context.Context, name string, grants []access.Grant, lifetime time.Duration, by string) (access.Token, string, error) {
	if lifetime < 0 {
		return access.Token{}, "", &runtime.InvalidError{Field: "expires_in", Reason: "must not be negative"}
	}
	token, text := access.NewToken(name)
	token.Grants, token.CreatedAt, token.CreatedBy = grants, s.cfg.Clock().UTC().Truncate(time.Second), by
	if lifetime > 0 {
		token.ExpiresAt = token.CreatedAt.Add(lifetime)
	}
	if err := token.Validate(); err != nil {
		return access.Token{}, "", &runtime.InvalidError{Field: "token", Reason: err.Error()}
	}
	if err := s.deps.Store.CreateToken(ctx, token); err != nil {
		return access.Token{}, "", err
	}
	s.refreshAfterChange(ctx)
	return token, text, nil
}

// RevokeToken deletes the token. It returns access.ErrUnknownSubject if there is none.
func (s *Service) RevokeToken(ctx context.Context, name string) error {
	if err := access.ValidateTokenName(name); err != nil {
		return &runtime.InvalidError{Field: "token", Reason: err.Error()}
	}
	if err := s.deps.Store.DeleteToken(ctx, name); err != nil {
		return err
	}
	s.refreshAfterChange(ctx)
	return nil
}

// Grant adds a grant to a subject, and returns its binding.
func (s *Service) Grant(ctx context.Context, subject string, grant access.Grant, by string) (access.Binding, error) {
	if err := grant.Validate(); err != nil {
		return access.Binding{}, &runtime.InvalidError{Field: "grant", Reason: err.Error()}
	}
	return s.updateBinding(ctx, subject, by, func(b access.Binding) (access.Binding, error) {
		changed, err := b.With(grant)
		if err != nil {
			return b, &runtime.InvalidError{Field: "grant", Reason: err.Error()}
		}
		return changed, nil
	})
}

// Revoke removes a grant from a subject, or all grants for nil, and returns the binding that
// remains. It returns access.ErrUnknownSubject if the subject does not have it.
func (s *Service) Revoke(ctx context.Context, subject string, grant *access.Grant, by string) (access.Binding, error) {
	wasPresent := false // in a try whose response may have been lost
	return s.updateBinding(ctx, subject, by, func(b access.Binding) (access.Binding, error) {
		changed, isPresent := access.Binding{Subject: subject}, len(b.Grants) > 0
		if grant != nil {
			changed, isPresent = b.Without(*grant)
		}
		if !isPresent && !wasPresent {
			return b, access.ErrUnknownSubject
		}
		wasPresent = true
		return changed, nil
	})
}

func (s *Service) updateBinding(ctx context.Context, subject, by string, change func(access.Binding) (access.Binding, error)) (access.Binding, error) {
	if err := access.ValidateSubject(subject); err != nil {
		return access.Binding{}, &runtime.InvalidError{Field: "subject", Reason: err.Error()}
	}
	var result access.Binding
	err := s.deps.Store.UpdateBinding(ctx, subject, func(b access.Binding) (access.Binding, error) {
		changed, err := change(b)
		changed.UpdatedAt, changed.UpdatedBy = s.cfg.Clock().UTC().Truncate(time.Second), by
		result = changed
		return changed, err
	})
	if err != nil {
		return access.Binding{}, err
	}
	s.refreshAfterChange(ctx)
	return result, nil
}

// refreshAfterChange makes a change effective at this daemon at once. If the policy cannot be
// read, Run makes it effective later.
func (s *Service) refreshAfterChange(ctx context.Context) {
	if err := s.Refresh(ctx); err != nil {
		s.cfg.Logger.Warn("the tokens and roles cannot be read after a change", "error", err)
	}
}

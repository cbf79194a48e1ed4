package secrets

import (
	"context"

	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

// Get returns the metadata of the secret. It needs no keys. The error is secret.ErrNotFound
// if there is no such secret.
func (s *Service) Get(ctx context.Context, name string) (secret.Metadata, error) {
	if err := secret.ValidateName(name); err != nil {
		return secret.Metadata{}, err
	}
	found, err := s.get(ctx, name)
	return found.Metadata, err
}

// Reveal returns the values of the secret with its metadata. Errors are those of Get,
// secret.ErrNoKeys and secret.ErrUnreadable.
func (s *Service) Reveal(ctx context.Context, name string) (secret.Metadata, secret.Values, error) {
	if err := secret.ValidateName(name); err != nil {
		return secret.Metadata{}, nil, err
	}
	found, err := s.get(ctx, name)
	if err != nil {
		return secret.Metadata{}, nil, err
	}
	values, err := s.decrypt(ctx, found.Encrypted)
	return found.Metadata, values, err
}

// List returns the metadata of all secrets, ordered by name. It needs no keys.
func (s *Service) List(ctx context.Context) ([]secret.Metadata, error) {
	found, err := s.deps.Store.ListSecrets(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]secret.Metadata, len(found))
	for i, f := range found {
		list[i] = f.Metadata
	}
	return list, nil
}

// get returns the stored secret, and a *secret.NotFoundError if there is none.
func (s *Service) get(ctx context.Context, name string) (ports.VersionedSecret, error) {
	found, err := s.deps.Store.GetSecrets(ctx, name)
	if err == nil && found[0].Revision == 0 {
		err = &secret.NotFoundError{Name: name}
	}
	if err != nil {
		return ports.VersionedSecret{}, err
	}
	return found[0], nil
}

// Package memsecrets keeps encrypted secrets in memory. Its store passes the contract of
// ports.SecretStore.
package memsecrets

import (
	"context"
	"maps"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

var _ ports.SecretStore = (*Store)(nil)

// Store implements ports.SecretStore. It is safe for concurrent use.
type Store struct {
	mu       sync.Mutex
	revision int64
	secrets  map[string]ports.VersionedSecret
}

// New returns an empty store.
func New() *Store { return &Store{secrets: map[string]ports.VersionedSecret{}} }

// GetSecrets implements ports.SecretStore.
func (s *Store) GetSecrets(ctx context.Context, names ...string) ([]ports.VersionedSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	found := make([]ports.VersionedSecret, len(names))
	for i, name := range names {
		found[i] = clone(s.secrets[name])
	}
	return found, ctx.Err()
}

// ListSecrets implements ports.SecretStore.
func (s *Store) ListSecrets(ctx context.Context) ([]ports.VersionedSecret, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := []ports.VersionedSecret{}
	for _, name := range slices.Sorted(maps.Keys(s.secrets)) {
		list = append(list, clone(s.secrets[name]))
	}
	return list, ctx.Err()
}

// PutSecret implements ports.SecretStore.
func (s *Store) PutSecret(ctx context.Context, encrypted secret.Encrypted, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return err
	}
	current := s.secrets[encrypted.Name]
	if current.Revision != revision {
		if current.Fingerprint() == encrypted.Fingerprint() && slices.Equal(current.WrappedKey, encrypted.WrappedKey) {
			return nil
		}
		return secret.ErrConflict
	}
	s.revision++
	s.secrets[encrypted.Name] = clone(ports.VersionedSecret{Encrypted: encrypted, Revision: s.revision})
	return nil
}

// DeleteSecret implements ports.SecretStore.
func (s *Store) DeleteSecret(ctx context.Context, name string, revision int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	current, exists := s.secrets[name]
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case exists && current.Revision != revision:
		return secret.ErrConflict
	}
	delete(s.secrets, name)
	return nil
}

func clone(v ports.VersionedSecret) ports.VersionedSecret {
	v.Games = slices.Clone(v.Games)
	v.Keys, v.WrappedKey, v.Ciphertext = slices.Clone(v.Keys), slices.Clone(v.WrappedKey), slices.Clone(v.Ciphertext)
	return v
}

package secrets

import (
	"context"
	"encoding/json"
	"fmt"

	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
)

// encrypt returns the next version of the secret.
func (s *Service) encrypt(keyring *envelope.Keyring, current ports.VersionedSecret, input secret.PutInput) (secret.Encrypted, error) {
	at := s.cfg.Clock().UTC()
	next := secret.Encrypted{Metadata: secret.Metadata{
		Name: input.Name, Version: current.Version + 1, Keys: input.Values.Keys(), Games: current.Games,
		CreatedAt: current.CreatedAt, UpdatedAt: at, UpdatedBy: input.Actor,
	}}
	if input.Games != nil {
		next.Games = input.Games
	}
	if current.Revision == 0 {
		next.CreatedAt = at
	}
	text, err := json.Marshal(input.Values.Reveal())
	if err != nil {
		return next, fmt.Errorf("encode the values of secret %q", input.Name) // err can contain a value
	}
	defer clear(text)
	sealed, err := keyring.Seal(s.bindingOf(next.Metadata), text)
	next.KeyID, next.WrappedKey, next.Ciphertext = sealed.KeyID, sealed.WrappedKey, sealed.Ciphertext
	return next, err
}

// decrypt returns the values of a stored secret.
func (s *Service) decrypt(ctx context.Context, encrypted secret.Encrypted) (secret.Values, error) {
	text, err := withKeys(ctx, s.keys, func(keyring *envelope.Keyring) ([]byte, error) {
		return keyring.Open(s.bindingOf(encrypted.Metadata), sealedOf(encrypted))
	})
	if err != nil {
		return nil, fmt.Errorf("secret %q: %w", encrypted.Name, err)
	}
	defer clear(text)
	var texts map[string]string
	if err := json.Unmarshal(text, &texts); err != nil {
		return nil, fmt.Errorf("secret %q: %w: its values are malformed", encrypted.Name, secret.ErrUnreadable)
	}
	return secret.NewValues(texts), nil
}

// bindingOf returns what the ciphertext of a secret is bound to.
func (s *Service) bindingOf(m secret.Metadata) envelope.Binding {
	return envelope.Binding{StoreID: s.cfg.StoreID, Name: m.Name, Version: m.Version, Games: m.Games}
}

// sealedOf returns the ciphertext of a stored secret.
func sealedOf(e secret.Encrypted) envelope.Sealed {
	return envelope.Sealed{KeyID: e.KeyID, WrappedKey: e.WrappedKey, Ciphertext: e.Ciphertext}
}

package secrets

import (
	"context"
	"errors"
	"fmt"
	"maps"

	"galaxy/rtmanager/internal/domain/secret"
)

// ResolveSecrets implements ports.SecretResolver. All secrets are read at one revision.
func (s *Service) ResolveSecrets(ctx context.Context, gameID string, names []string) (secret.Environment, error) {
	if len(names) == 0 {
		return secret.Environment{}, nil
	}
	for _, name := range names {
		if err := secret.ValidateReference(gameID, name); err != nil {
			return secret.Environment{}, fmt.Errorf("%w: %w", secret.ErrUnresolved, err)
		}
	}
	found, err := s.deps.Store.GetSecrets(ctx, names...)
	if err != nil {
		return secret.Environment{}, err
	}
	env := secret.Environment{Values: secret.Values{}}
	for i, name := range names {
		if found[i].Revision == 0 {
			return secret.Environment{}, fmt.Errorf("%w: %w", secret.ErrUnresolved, &secret.NotFoundError{Name: name})
		}
		if !found[i].Permits(gameID) {
			return secret.Environment{}, fmt.Errorf("%w: secret %q does not permit game %q", secret.ErrUnresolved, name, gameID)
		}
		values, err := s.decrypt(ctx, found[i].Encrypted)
		if err != nil {
			return secret.Environment{}, fmt.Errorf("%w: %w", secret.ErrUnresolved, err)
		}
		maps.Copy(env.Values, values)
		env.Versions = append(env.Versions, secret.Version{Name: name, Fingerprint: found[i].Fingerprint()})
	}
	return env, nil
}

// CredentialsOf implements ports.RegistryCredentials. A daemon without keys has none.
func (s *Service) CredentialsOf(ctx context.Context, host string) (user string, password secret.Value, found bool, err error) {
	name := secret.OfRegistry(host)
	if s.deps.Keys == nil || secret.ValidateName(name) != nil {
		return "", secret.Value{}, false, nil //nolint:nilerr // a host without a valid name has no credentials
	}
	_, values, err := s.Reveal(ctx, name)
	if errors.Is(err, secret.ErrNotFound) {
		return "", secret.Value{}, false, nil
	}
	if err != nil {
		return "", secret.Value{}, false, fmt.Errorf("credentials of registry %s: %w", host, err)
	}
	return values[secret.RegistryUser].Reveal(), values[secret.RegistryPassword], true, nil
}

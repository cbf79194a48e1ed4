package secrets

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
	"galaxy/rtmanager/internal/ports"
)

// Rotate loads the keys and wraps the data key of each secret with the newest one. Values and
// versions of secrets do not change, and secrets can be written and read in the meantime. It
// is idempotent: after an interruption, a second call continues. It fails with
// secret.ErrNoKeys, a secret.KeysError, or runtime.ErrUnavailable; secrets that cannot be
// re-wrapped are in the result.
func (s *Service) Rotate(ctx context.Context) (secret.Rotation, error) {
	keyring, err := s.keys.reload(ctx)
	switch {
	case err != nil && ctx.Err() != nil:
		return secret.Rotation{}, err
	case err != nil:
		return secret.Rotation{}, &secret.KeysError{Err: err}
	}
	result := secret.Rotation{KeyID: keyring.NewestID()}
	list, err := s.deps.Store.ListSecrets(ctx)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return result, err
	}
	if err != nil { // the others can be rotated
		result.Failed = append(result.Failed, secret.RotationFailure{Name: "(corrupt)", Reason: err.Error()})
	}
	for _, found := range list {
		isRewrapped, err := s.rewrap(ctx, keyring, found)
		switch {
		case err == nil && isRewrapped:
			result.Rewrapped++
		case err == nil:
			result.Current++
		case errors.Is(err, secret.ErrUnreadable), errors.Is(err, secret.ErrConflict):
			result.Failed = append(result.Failed, secret.RotationFailure{Name: found.Name, Reason: err.Error()})
		default:
			return result, fmt.Errorf("rotate after %d secrets: %w", result.Rewrapped+result.Current, err)
		}
	}
	s.log.Info("secrets rotated", "key", result.KeyID, "rewrapped", result.Rewrapped, "current", result.Current, "failed", len(result.Failed))
	return result, nil
}

// rewrap wraps the data key of one secret. It repeats that on the current state if the secret
// changes in the meantime.
func (s *Service) rewrap(ctx context.Context, keyring *envelope.Keyring, found ports.VersionedSecret) (isRewrapped bool, err error) {
	for try := 1; ; try++ {
		if found.KeyID == keyring.NewestID() {
			return false, nil
		}
		sealed, err := keyring.Rewrap(s.bindingOf(found.Metadata), sealedOf(found.Encrypted))
		if err != nil {
			return false, err
		}
		next := found.Encrypted
		next.KeyID, next.WrappedKey = sealed.KeyID, sealed.WrappedKey
		err = s.deps.Store.PutSecret(ctx, next, found.Revision)
		if !errors.Is(err, secret.ErrConflict) || try == maxTries {
			return err == nil, err
		}
		found, err = s.get(ctx, found.Name)
		if errors.Is(err, secret.ErrNotFound) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
}

package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/secret"
)

// SecretStore keeps encrypted secrets by name. It is linearizable, and it neither encrypts nor
// decrypts. All methods are safe for concurrent use, end when ctx ends, and return secrets that
// share no memory with the store. Every method returns runtime.ErrUnavailable if the store
// does not respond, and runtime.ErrCorrupt for a value that cannot be decoded.
type SecretStore interface {
	// GetSecrets returns the secrets with the names, in this order and as of one revision. A
	// secret that does not exist is the zero VersionedSecret.
	GetSecrets(ctx context.Context, names ...string) ([]VersionedSecret, error)

	// ListSecrets returns all secrets, ordered by name, as of one revision.
	ListSecrets(ctx context.Context) ([]VersionedSecret, error)

	// PutSecret writes the secret if its current revision is the given one; 0 means that there
	// must be none. It returns secret.ErrConflict for another revision, runtime.ErrReadOnly
	// if the store accepts no writes, and runtime.ErrOutcomeUnknown if it is not known
	// whether the write was applied. A second identical call returns nil if the first was
	// applied and no other write followed.
	PutSecret(ctx context.Context, encrypted secret.Encrypted, revision int64) error

	// DeleteSecret deletes the secret if its current revision is the given one, and returns
	// secret.ErrConflict otherwise. It returns nil if there is no such secret.
	DeleteSecret(ctx context.Context, name string, revision int64) error
}

// VersionedSecret is an encrypted secret with the revision of its last change.
type VersionedSecret struct {
	secret.Encrypted

	Revision int64 // 0: there is no such secret
}

// SecretResolver provides the environment variables of the secrets that a game references.
type SecretResolver interface {
	// ResolveSecrets returns the variables of the secrets with the names. A later secret takes
	// precedence over an earlier one. It is empty for no names. The error is
	// secret.ErrUnresolved if a secret does not exist, cannot be decrypted, or may not be
	// used by the game, and runtime.ErrUnavailable if the store does not respond. No error
	// contains a value.
	ResolveSecrets(ctx context.Context, gameID string, names []string) (secret.Environment, error)
}

// RegistryCredentials provides the credentials of image registries.
type RegistryCredentials interface {
	// CredentialsOf returns user and password for the registry with the host, which may
	// have a port. found is false if there are none. No error contains the password.
	CredentialsOf(ctx context.Context, host string) (user string, password secret.Value, found bool, err error)
}

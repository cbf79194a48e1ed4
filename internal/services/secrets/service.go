package secrets

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/ports"
)

var (
	_ ports.SecretResolver      = (*Service)(nil)
	_ ports.RegistryCredentials = (*Service)(nil)
)

// Dependencies are the parts that a Service uses.
type Dependencies struct {
	Store ports.SecretStore
	// Keys are the key-encryption keys. Nil means that there are none: then values are
	// neither written nor read, and the service returns secret.ErrNoKeys.
	Keys KeySource
	// Records and Intents find the games that reference a secret.
	Records ports.RuntimeReader
	Intents ports.IntentStore
}

// Config configures a Service.
type Config struct {
	// StoreID is the part of the store's identity that a restored backup keeps. Ciphertexts
	// are bound to it. Required.
	StoreID string
	// Clock returns the times of writes. Default time.Now.
	Clock func() time.Time
	// Logger logs one line for each write, without values; nil discards them.
	Logger *slog.Logger
}

// Service keeps secrets. It is safe for concurrent use.
type Service struct {
	deps Dependencies
	cfg  Config
	log  *slog.Logger
	keys *keyCache
}

// New returns a service. It fails if a dependency or the store id is missing.
func New(deps Dependencies, cfg Config) (*Service, error) {
	if deps.Store == nil || deps.Records == nil || deps.Intents == nil || cfg.StoreID == "" {
		return nil, errors.New("secrets: stores and store id are required")
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	log := cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Service{
		deps: deps, cfg: cfg, log: log,
		keys: &keyCache{source: deps.Keys, clock: cfg.Clock, log: log},
	}, nil
}

// LoadKeys loads the keys, so that an unusable source is detected at the start. It returns nil
// for a service without keys.
func (s *Service) LoadKeys(ctx context.Context) error {
	if s.deps.Keys == nil {
		return nil
	}
	_, err := s.keys.reload(ctx)
	return err
}

// maxTries bounds the tries of a compare-and-swap.
const maxTries = 10

// Put stores the values as the next version of the secret, and returns its metadata. Errors are
// runtime.ErrInvalid, secret.ErrNoKeys, and those of ports.SecretStore.
func (s *Service) Put(ctx context.Context, input secret.PutInput) (secret.Metadata, error) {
	if err := input.Validate(); err != nil {
		return secret.Metadata{}, err
	}
	keyring, err := s.keys.getRecent(ctx)
	if err != nil {
		return secret.Metadata{}, err
	}
	for try := 1; ; try++ {
		current, err := s.get(ctx, input.Name)
		if err != nil && !errors.Is(err, secret.ErrNotFound) {
			return secret.Metadata{}, err
		}
		next, err := s.encrypt(keyring, current, input)
		if err != nil {
			return secret.Metadata{}, err
		}
		err = s.deps.Store.PutSecret(ctx, next, current.Revision)
		switch {
		case errors.Is(err, secret.ErrConflict) && try < maxTries:
			continue
		case errors.Is(err, secret.ErrConflict):
			return secret.Metadata{}, contentionError(input.Name)
		case err != nil:
			return secret.Metadata{}, err
		}
		s.log.Info("secret written", "secret", input.Name, "version", next.Version, "keys", len(input.Values), "actor", input.Actor)
		return next.Metadata, nil
	}
}

// contentionError is the error of a write after maxTries.
func contentionError(name string) error {
	return &runtime.UnavailableError{Reason: fmt.Sprintf("secret %q was changed by other writers %d times; retry", name, maxTries)}
}

package secrets

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/secret"
	"galaxy/rtmanager/internal/envelope"
)

// KeySource returns the text of the keys, newest first.
type KeySource interface {
	Load(ctx context.Context) ([]byte, error)
}

// minReload is the time between two automatic loads of the keys.
const minReload = 5 * time.Second

// keyCache keeps the keyring of a source. It is safe for concurrent use: a load that takes long
// delays only callers that need its result.
type keyCache struct {
	source KeySource // nil: there are no keys
	clock  func() time.Time
	log    *slog.Logger

	keyring  atomic.Pointer[envelope.Keyring] // nil before the first load
	loading  sync.Mutex                       // one load at a time
	loadedAt atomic.Int64                     // of the last attempt, in nanoseconds
}

// get returns the keyring, and secret.ErrNoKeys without a source.
func (c *keyCache) get(ctx context.Context) (*envelope.Keyring, error) {
	if keyring := c.keyring.Load(); keyring != nil {
		return keyring, nil
	}
	return c.reload(ctx)
}

// getRecent returns a keyring that was loaded recently, for a write: a keyring from before a
// rotation would use a key that the operator is about to remove. It returns the previous
// keyring if the keys cannot be loaded at present.
func (c *keyCache) getRecent(ctx context.Context) (*envelope.Keyring, error) {
	previous := c.keyring.Load()
	if previous != nil && c.isRecent() {
		return previous, nil
	}
	keyring, err := c.reload(ctx)
	if err != nil && previous != nil {
		c.log.Warn("the keys of secrets cannot be loaded; the previous ones are used", "error", err)
		return previous, nil
	}
	return keyring, err
}

// isRecent reports whether the keys were loaded within minReload.
func (c *keyCache) isRecent() bool { return c.clock().UnixNano()-c.loadedAt.Load() < int64(minReload) }

// reload loads the keys. A failure keeps the previous keyring.
func (c *keyCache) reload(ctx context.Context) (*envelope.Keyring, error) {
	if c.source == nil {
		return nil, secret.ErrNoKeys
	}
	c.loading.Lock()
	defer c.loading.Unlock()
	c.loadedAt.Store(c.clock().UnixNano())
	text, err := c.source.Load(ctx)
	if err != nil {
		return nil, fmt.Errorf("load the keys of secrets: %w", err)
	}
	defer clear(text)
	keyring, err := envelope.ParseKeyring(text)
	if err != nil {
		return nil, fmt.Errorf("load the keys of secrets: %w", err)
	}
	c.keyring.Store(keyring)
	return keyring, nil
}

// withKeys calls use with the keyring. If that lacks a key, the keys are loaded once more,
// unless that was done recently, and use is repeated: another daemon has rotated to a new key.
func withKeys[T any](ctx context.Context, c *keyCache, use func(*envelope.Keyring) (T, error)) (T, error) {
	var none T
	keyring, err := c.get(ctx)
	if err != nil {
		return none, err
	}
	result, err := use(keyring)
	unknown := (*envelope.UnknownKeyError)(nil)
	if !errors.As(err, &unknown) {
		return result, err
	}
	latest, loadErr := c.getRecent(ctx)
	if loadErr != nil || !latest.Has(unknown.ID) {
		return result, err
	}
	return use(latest)
}

package oidc

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"
	"golang.org/x/time/rate"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
	"galaxy/rtmanager/internal/domain/runtime"
)

const (
	// maxKeyAge is how long cached keys stay valid while they cannot be fetched. Most tokens
	// of an unavailable issuer expire earlier.
	maxKeyAge = 24 * time.Hour
	// minFetchInterval and fetchBurst limit the fetches for key ids that are not cached, so
	// that invalid tokens do not become a load of the issuer.
	minFetchInterval = 10 * time.Second
	fetchBurst       = 2
)

var (
	errUnknownKey   = errors.New("its key id is not one of the issuer's keys")
	errBadSignature = errors.New("its signature is not valid")
)

// keySet caches the keys of an issuer. It is safe for concurrent use.
type keySet struct {
	issuer  *issuer.Client
	now     func() time.Time
	limiter *rate.Limiter
	slot    chan struct{} // has a value while keys are being fetched

	mu        sync.RWMutex // guards the following fields
	keys      []jose.JSONWebKey
	fetchedAt time.Time // of the last fetch that succeeded
	fetches   int       // number of fetches that have ended
	failures  int       // number of these that failed
	lastErr   error     // of the last fetch; nil if it succeeded
}

func newKeySet(client *issuer.Client, now func() time.Time) *keySet {
	return &keySet{
		issuer: client, now: now, limiter: rate.NewLimiter(rate.Every(minFetchInterval), fetchBurst), slot: make(chan struct{}, 1),
		lastErr: errors.New("its keys have not been fetched yet"),
	}
}

// verifySignature returns the payload of a token whose signature is valid. It fetches the
// keys if none with the token's key id is cached.
func (s *keySet) verifySignature(ctx context.Context, token string) ([]byte, error) {
	signed, err := jose.ParseSignedCompact(token, signingAlgorithms())
	if err != nil {
		return nil, errors.New("its header is malformed, or its algorithm is not accepted")
	}
	header := signed.Signatures[0].Protected
	if err := checkType(header); err != nil {
		return nil, err
	}
	keys, fetches := s.findKeys(header)
	if len(keys) == 0 {
		if err := s.fetchMissing(ctx, fetches); err != nil {
			return nil, err
		}
		keys, _ = s.findKeys(header)
	}
	if len(keys) == 0 {
		return nil, s.missingError()
	}
	for _, key := range keys {
		if payload, err := signed.Verify(&key); err == nil {
			return payload, nil
		}
	}
	return nil, errBadSignature
}

// findKeys returns the cached keys that may have signed a token with the header, and the number
// of fetches so far. A token without a key id matches only the key of an issuer that has a
// single one, so that it costs one verification.
func (s *keySet) findKeys(header jose.Header) (keys []jose.JSONWebKey, fetches int) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.isFresh() {
		return nil, s.fetches
	}
	for _, key := range s.keys {
		isNamed := header.KeyID != "" && key.KeyID == header.KeyID
		isSingle := header.KeyID == "" && len(s.keys) == 1
		if (isNamed || isSingle) && (key.Algorithm == "" || key.Algorithm == header.Algorithm) {
			keys = append(keys, key)
		}
	}
	return keys, s.fetches
}

// isFresh reports whether the cached keys are valid. The caller holds mu.
func (s *keySet) isFresh() bool { return len(s.keys) > 0 && s.now().Sub(s.fetchedAt) < maxKeyAge }

// generation returns a number that differs for each set of keys that was fetched, and whether
// the cached keys are valid.
func (s *keySet) generation() (number int, isFresh bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.fetches - s.failures, s.isFresh()
}

// missingError returns the error of a token whose key is not cached.
func (s *keySet) missingError() error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if !s.isFresh() {
		return unavailable(s.lastErr)
	}
	return errUnknownKey
}

// fetchMissing fetches the keys for a token whose key was missing after the given number of
// fetches. Concurrent calls share one fetch. It does nothing if the limit of fetches is
// reached. It fails only if ctx ends.
func (s *keySet) fetchMissing(ctx context.Context, fetches int) error {
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return unavailable(context.Cause(ctx))
	}
	s.mu.RLock()
	isFetched := s.fetches != fetches
	s.mu.RUnlock()
	if !isFetched && s.limiter.AllowN(s.now(), 1) {
		_ = s.fetch(ctx) // kept in lastErr
	}
	return nil
}

// refresh fetches the keys. On an error the cached ones are kept.
func (s *keySet) refresh(ctx context.Context) error {
	select {
	case s.slot <- struct{}{}:
		defer func() { <-s.slot }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	return s.fetch(ctx)
}

// fetch replaces the cached keys. The caller holds the slot. The fetch outlives ctx, because
// other requests wait for its result.
func (s *keySet) fetch(ctx context.Context) error {
	keys, err := s.issuer.Keys(context.WithoutCancel(ctx))
	keys = usableKeys(keys)
	if err == nil && len(keys) == 0 {
		err = errors.New("its key set has no key that can verify signatures")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fetches++
	s.lastErr = err
	if err != nil {
		s.failures++
		return err
	}
	s.keys, s.fetchedAt = keys, s.now()
	return nil
}

// state returns the state of the cache.
func (s *keySet) state() State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return State{FetchedAt: s.fetchedAt, Fetches: s.fetches, Failures: s.failures}
}

// unavailable returns the error of a token that cannot be verified. Callers see the reason
// only: the cause may name addresses.
func unavailable(cause error) error {
	return fmt.Errorf("%w: %w", &runtime.UnavailableError{Reason: "the keys of the OIDC issuer cannot be fetched"}, cause)
}

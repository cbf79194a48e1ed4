package oidc

import (
	"context"
	"errors"
	"strings"
	"time"

	gooidc "github.com/coreos/go-oidc/v3/oidc"

	"galaxy/rtmanager/internal/adapters/oidc/internal/issuer"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// The intervals of Run: keys are fetched so often that a key that the issuer has revoked is
// not accepted for long. After a failure the interval starts at minRetry and doubles.
const (
	refreshInterval    = 10 * time.Minute
	minRetry, maxRetry = time.Second, time.Minute
)

// Verifier verifies tokens of one issuer. It is safe for concurrent use.
type Verifier struct {
	cfg  Config
	keys *keySet

	verified verifiedTokens
}

// State is the state of the cached keys.
type State struct {
	// FetchedAt is when the keys were last fetched; zero for never.
	FetchedAt time.Time
	// Fetches counts the attempts to fetch keys, and Failures those that failed.
	Fetches, Failures int
}

// State returns the state of the cached keys.
func (v *Verifier) State() State { return v.keys.state() }

// New returns a verifier. It sends no request, so it works while the issuer is unavailable.
// It fails if the configuration is invalid.
func New(cfg Config) (*Verifier, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = withDefaults(cfg)
	client, err := issuer.New(cfg.Issuer, cfg.CAFile)
	if err != nil {
		return nil, err
	}
	return &Verifier{cfg: cfg, keys: newKeySet(client, cfg.Now)}, nil
}

// Run fetches the issuer's keys regularly until ctx ends, and returns nil. A failed fetch is
// retried, and the cached keys stay valid for maxKeyAge. Verify works without Run as well,
// but then fetches keys only for a key id that is not cached.
func (v *Verifier) Run(ctx context.Context) error {
	retry, isAvailable := minRetry, true
	for {
		err := v.keys.refresh(ctx)
		interval := refreshInterval
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // the end of ctx is no failure
		case err == nil:
			retry, isAvailable = minRetry, true
		default:
			if isAvailable {
				v.cfg.Logger.Warn("cannot fetch the keys of the OIDC issuer; tokens are verified with the cached keys", "issuer", v.cfg.Issuer, "error", err)
			}
			interval, retry, isAvailable = retry, min(2*retry, maxRetry), false
		}
		if wait.For(ctx, wait.Jittered(interval)) != nil {
			return nil //nolint:nilerr // the end of ctx is no failure
		}
	}
}

// Verify returns the identity that the token proves. It fails with access.ErrUnauthenticated
// for a token that is not valid; the error has neither the token nor its claims except issuer,
// audience and times. It fails with runtime.ErrUnavailable if the issuer's keys are not cached
// and cannot be fetched. It fetches keys at most every few seconds, independent of the tokens
// that it gets. The caller must not change the groups of the result.
func (v *Verifier) Verify(ctx context.Context, token string) (access.Identity, error) {
	if err := checkForm(token); err != nil {
		return access.Identity{}, rejection(err)
	}
	generation, isFresh := v.keys.generation()
	if isFresh {
		if identity, isVerified := v.verified.find(token, generation, v.cfg.Now()); isVerified {
			return identity, nil
		}
	}
	identity, err := v.verify(ctx, token)
	if err == nil {
		v.verified.add(token, generation, identity)
	}
	return identity, err
}

// verify verifies a token that has the form of one.
func (v *Verifier) verify(ctx context.Context, token string) (access.Identity, error) {
	signature := &signatureCheck{keys: v.keys}
	verifier := gooidc.NewVerifier(v.cfg.Issuer, signature, &gooidc.Config{
		ClientID: v.cfg.Audience, SupportedSigningAlgs: algorithmNames(), Now: func() time.Time { return v.cfg.Now().Add(-expiryTolerance) },
	})
	verified, err := verifier.Verify(ctx, token)
	switch {
	case errors.Is(signature.err, runtime.ErrUnavailable):
		return access.Identity{}, signature.err
	case signature.err != nil: // the library's error has its text only
		return access.Identity{}, rejection(signature.err)
	case err != nil:
		return access.Identity{}, rejection(err)
	}
	identity, err := v.identity(verified)
	if err != nil {
		return access.Identity{}, rejection(err)
	}
	return identity, nil
}

// signatureCheck verifies the signature of one token, and keeps the error.
type signatureCheck struct {
	keys *keySet
	err  error
}

// VerifySignature implements the key set of go-oidc.
func (s *signatureCheck) VerifySignature(ctx context.Context, token string) ([]byte, error) {
	payload, err := s.keys.verifySignature(ctx, token)
	s.err = err
	return payload, err
}

// maxReasonBytes bounds the text of an error, which may contain a claim.
const maxReasonBytes = 256

// rejection returns the error of a token that is not valid.
func rejection(err error) error {
	reason := err.Error()
	if len(reason) > maxReasonBytes {
		reason = strings.ToValidUTF8(reason[:maxReasonBytes], "") + "…"
	}
	return &access.UnauthenticatedError{Reason: "the token is not valid: " + reason}
}

func algorithmNames() []string {
	var names []string
	for _, algorithm := range signingAlgorithms() {
		names = append(names, string(algorithm))
	}
	return names
}

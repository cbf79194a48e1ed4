package auth

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/broadcast"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/ports"
)

// TokenVerifier verifies bearer tokens of an identity provider.
type TokenVerifier interface {
	// Verify returns the identity that the token proves. It returns access.ErrUnauthenticated
	// for a token that is not valid, and runtime.ErrUnavailable if the provider's keys are not
	// known. It is safe for concurrent use.
	Verify(ctx context.Context, token string) (access.Identity, error)
}

// Dependencies are what a Service uses.
type Dependencies struct {
	Store ports.AccessStore
	// OIDC verifies bearer tokens that are not static ones; nil rejects them.
	OIDC TokenVerifier
}

// Config configures a Service. A zero field means its default.
type Config struct {
	// RefreshInterval is the time between two checks whether the policy has changed; default
	// 2 s.
	RefreshInterval time.Duration
	// MaxStaleness is how long a policy stays in effect while the store does not respond;
	// default 10 min.
	MaxStaleness time.Duration
	// Clock returns the time; default time.Now.
	Clock func() time.Time
	// Logger reports failures to read the policy; nil discards.
	Logger *slog.Logger
}

// Service authenticates callers and returns their rights. It is safe for concurrent use.
type Service struct {
	deps Dependencies
	cfg  Config

	current atomic.Pointer[state]
	changed broadcast.Signal
	loading chan struct{} // has a value while the policy is read
	// unknownTokenAt is when the policy was last read for an unknown token, in Unix nanoseconds.
	unknownTokenAt atomic.Int64

	usesMu sync.Mutex
	uses   map[string]time.Time // token uses that are not stored yet
	stored map[string]time.Time // the latest stored use
}

// state is the policy in effect. It is immutable.
type state struct {
	policy  *access.Policy
	version string
	// provenAt is when the store was last known to have this policy.
	provenAt time.Time
}

// New returns a service, which has no policy before Refresh or Run.
func New(deps Dependencies, cfg Config) *Service {
	cfg.RefreshInterval = cmp.Or(cfg.RefreshInterval, 2*time.Second)
	cfg.MaxStaleness = cmp.Or(cfg.MaxStaleness, 10*time.Minute)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	s := &Service{deps: deps, cfg: cfg, loading: make(chan struct{}, 1), uses: map[string]time.Time{}, stored: map[string]time.Time{}}
	s.current.Store(&state{policy: access.NewPolicy(nil, nil)})
	return s
}

package auth

import (
	"context"
	"errors"
	"sync"
	"time"

	"galaxy/rtmanager/internal/wait"
)

// unknownTokenInterval is the time between two reads of the policy for unknown tokens.
const unknownTokenInterval = 500 * time.Millisecond

// Run keeps the policy current and stores the uses of tokens, until ctx ends. It returns nil.
func (s *Service) Run(ctx context.Context) error {
	// Many uses take long to store. A revocation must not wait for them.
	var storing sync.WaitGroup
	storing.Go(func() { s.runStoreUses(ctx) })
	defer storing.Wait()
	isFailing := false
	for {
		err := s.Refresh(ctx)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !isFailing:
			s.cfg.Logger.Warn("the tokens and roles cannot be read; the last ones stay in effect", "max_staleness", s.cfg.MaxStaleness, "error", err)
		case err == nil && isFailing:
			s.cfg.Logger.Info("the tokens and roles are current")
		}
		isFailing = err != nil
		if wait.For(ctx, wait.Jittered(s.cfg.RefreshInterval)) != nil {
			return nil
		}
	}
}

// Refresh reads the policy if it has changed. It returns the error of the store, or the cause of
// ctx if that ends while another call reads the policy.
func (s *Service) Refresh(ctx context.Context) error {
	select {
	case s.loading <- struct{}{}:
		defer func() { <-s.loading }()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	requested := s.cfg.Clock()
	version, err := s.deps.Store.Version(ctx)
	if err != nil {
		return err
	}
	last := s.current.Load()
	if version == last.version {
		s.current.Store(&state{policy: last.policy, version: version, provenAt: requested})
		return nil
	}
	// The policy may be newer than the version. The next refresh then reads it once more.
	policy, err := s.deps.Store.Policy(ctx)
	if err != nil {
		return err
	}
	s.current.Store(&state{policy: policy, version: version, provenAt: requested})
	s.changed.Notify()
	return nil
}

// refreshForUnknownToken reads the policy for a token that another daemon may have created a
// moment ago. It does nothing if that happened within unknownTokenInterval, so that guesses cost
// the store little.
func (s *Service) refreshForUnknownToken(ctx context.Context) {
	now := s.cfg.Clock().UnixNano()
	last := s.unknownTokenAt.Load()
	if now-last < int64(unknownTokenInterval) || !s.unknownTokenAt.CompareAndSwap(last, now) {
		return
	}
	if err := s.Refresh(ctx); err != nil && !errors.Is(err, context.Canceled) {
		s.cfg.Logger.Debug("the policy cannot be read for an unknown token", "error", err)
	}
}

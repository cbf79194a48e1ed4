package auth

import (
	"context"
	"maps"
	"time"

	"galaxy/rtmanager/internal/wait"
)

// usesInterval is the time between two writes of the uses of tokens, and the precision of a
// use.
const usesInterval = 10 * time.Minute

// recordUse notes that a token was used.
func (s *Service) recordUse(name string) {
	now := s.cfg.Clock()
	s.usesMu.Lock()
	defer s.usesMu.Unlock()
	if now.Sub(s.stored[name]) >= usesInterval {
		s.uses[name] = now
	}
}

// runStoreUses stores the noted uses until ctx ends.
func (s *Service) runStoreUses(ctx context.Context) {
	for wait.For(ctx, wait.Jittered(usesInterval)) == nil {
		s.storeUses(ctx)
	}
}

// storeUses stores the noted uses. Uses that cannot be stored are stored next time.
func (s *Service) storeUses(ctx context.Context) {
	s.usesMu.Lock()
	uses := maps.Clone(s.uses)
	s.usesMu.Unlock()
	if len(uses) == 0 {
		return
	}
	if err := s.deps.Store.RecordTokenUses(ctx, uses); err != nil {
		s.cfg.Logger.Debug("the uses of tokens cannot be stored", "error", err)
		return
	}
	s.usesMu.Lock()
	defer s.usesMu.Unlock()
	for name, at := range uses {
		s.stored[name] = at
		if s.uses[name].Equal(at) {
			delete(s.uses, name)
		}
	}
}

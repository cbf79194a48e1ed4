package auth

import (
	"fmt"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Changed returns a channel that is closed when the policy changes. To miss no change, call it
// before Rights.
func (s *Service) Changed() <-chan struct{} { return s.changed.Changed() }

// Rights returns the current rights of an identity. It returns
//
//   - access.ErrUnauthenticated if the proof of the identity has expired or was revoked,
//   - runtime.ErrUnavailable if the policy is older than Config.MaxStaleness.
func (s *Service) Rights(identity access.Identity) (access.Rights, error) {
	now := s.cfg.Clock()
	state := s.current.Load()
	rights, isValid := state.policy.RightsOf(identity, now)
	isExpired := !identity.ExpiresAt.IsZero() && !now.Before(identity.ExpiresAt)
	isStale := now.Sub(state.provenAt) > s.cfg.MaxStaleness
	// The rights of a daemon follow from its certificate alone.
	if _, isNode := identity.Node(); isStale && !isNode && !isExpired {
		return access.Rights{}, &runtime.UnavailableError{Reason: fmt.Sprintf("the tokens and roles could not be read from etcd for %s", s.cfg.MaxStaleness)}
	}
	if !isValid {
		return access.Rights{}, &access.UnauthenticatedError{Reason: "the proof of " + identity.Subject + " has expired or was revoked"}
	}
	return rights, nil
}

package lifecycle

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
)

// Placer selects and reserves nodes for operations that continue on other nodes.
type Placer interface {
	// SelectNext selects and reserves the next node for a start, which has failed on its node. It
	// returns node.ErrNoCapacity if no node can run the game, and the errors of the store.
	SelectNext(ctx context.Context, gameID string, op operation.Operation) (operation.Assignment, error)
	// ReserveTarget reserves the target for a move. isCordonAllowed permits a cordoned node. isReserved is
	// false if the node has no limit that concerns the game. It returns node.ErrNoCapacity if the node
	// cannot run the game, and the errors of the store.
	ReserveTarget(ctx context.Context, gameID string, op operation.Operation, target node.Node, isCordonAllowed bool) (isReserved bool, err error)
	// Release ends the reservation of the operation on the node. It does nothing if there is none.
	Release(ctx context.Context, ref node.Ref, gameID, operationID string) error
}

// releaseTimeout bounds the release of another node, whose reservation otherwise expires.
const releaseTimeout = 5 * time.Second

// releaseOn ends the reservation of an operation on any node, in the background.
func (s *Service) releaseOn(ref node.Ref, gameID, operationID string) {
	if ref == s.self {
		s.release(true, gameID, operationID)
		return
	}
	_, end, err := s.lifetime.Begin(s.lifetime.Context())
	if err != nil || s.deps.Placer == nil {
		return
	}
	go func() {
		defer end()
		ctx, cancel := context.WithTimeout(s.lifetime.Context(), releaseTimeout)
		defer cancel()
		if err := s.deps.Placer.Release(ctx, ref, gameID, operationID); err != nil {
			s.log.Warn("reservation cannot be released; it expires", "game_id", gameID, "node", ref.String(), "error", err)
		}
	}()
}

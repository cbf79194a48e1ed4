package lifecycle

import (
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
)

// lostTargets keeps since when this daemon has observed that the target of a move is absent, by the id of the
// operation. The clocks of two machines are never compared. It is safe for concurrent use.
type lostTargets struct {
	mu    sync.Mutex
	since map[string]time.Time // guarded by mu
}

// observe returns since when the target of the move is known to be absent: now for the first call.
func (l *lostTargets) observe(operationID string, now time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.since == nil {
		l.since = map[string]time.Time{}
	}
	if _, isKnown := l.since[operationID]; !isKnown {
		l.since[operationID] = now
	}
	return l.since[operationID]
}

// drop removes an operation that this node has taken back.
func (l *lostTargets) drop(operationID string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.since, operationID)
}

// mayRunAtTarget reports whether the absent target of a move may have started the game: it has claimed the operation
// at the step that starts the game.
func mayRunAtTarget(op operation.Operation) bool {
	return op.Session != 0 && (op.HasReached(operation.StepStarting) || op.Step == operation.StepRollingBack)
}

// canTakeBack reports whether this node may start the game of a move whose target is absent. A target that may run
// the game is a lost node: the policy of the game for lost nodes decides, after the grace period.
func (s *Service) canTakeBack(op operation.Operation) bool {
	if !mayRunAtTarget(op) {
		return true
	}
	since := s.lostTargets.observe(op.ID, s.now())
	return op.Spec.WithDefaults().OnNodeLost == operation.NodeLostReschedule && s.now().Sub(since) >= s.cfg.NodeLostGrace
}

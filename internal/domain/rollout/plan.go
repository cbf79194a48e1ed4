package rollout

import (
	"fmt"
	"strings"
	"time"
)

// IsDue reports whether the rollout is to change the game now.
func (r *Rollout) IsDue(g Game) bool {
	switch r.State {
	case StateRunning:
		return g.State == GamePending || g.State == GameFailed && g.Attempt < r.Attempt && !r.SkipsFailed
	case StateUndoing:
		// A failed patch has restored the previous image, unless the daemon could not.
		return g.State == GameUpdated || g.State == GameFailed && g.PreviousImage != "" ||
			g.State == GameRevertFailed && g.Attempt < r.Attempt && !r.SkipsFailed
	default:
		return false
	}
}

// Next returns which of the games the rollout may change now, in their order. isReady reports
// whether players can use a game. blocked is why a due game is not among them because of
// MaxUnavailable, empty if none is.
func (r *Rollout) Next(games []Game, isReady func(gameID string) bool) (next []Game, blocked string) {
	if !r.State.IsActive() {
		return nil, ""
	}
	free := r.MaxParallel
	for _, g := range games {
		if g.State.IsInProgress() {
			free--
		}
	}
	unavailable, notReady := map[string]bool{}, []string{}
	if r.MaxUnavailable > 0 {
		unavailable, notReady = findUnavailable(games, isReady)
	}
	for _, g := range games {
		switch {
		case free <= 0:
			return next, ""
		case !r.IsDue(g):
			continue
		case r.MaxUnavailable > 0 && len(unavailable) >= r.MaxUnavailable && !unavailable[g.GameID]:
			blocked = describeBlocked(r.MaxUnavailable, notReady)
			continue
		}
		unavailable[g.GameID] = true
		next = append(next, g)
		free--
	}
	return next, blocked
}

// findUnavailable returns the games that players cannot use or that are being changed, and the
// ids of those that are not being changed.
func findUnavailable(games []Game, isReady func(gameID string) bool) (unavailable map[string]bool, notReady []string) {
	unavailable = map[string]bool{}
	for _, g := range games {
		switch {
		case g.State == GameSkipped:
		case g.State.IsInProgress():
			unavailable[g.GameID] = true
		case !isReady(g.GameID):
			unavailable[g.GameID] = true
			notReady = append(notReady, g.GameID)
		}
	}
	return unavailable, notReady
}

// maxNamed is the number of games that a message names.
const maxNamed = 3

func describeBlocked(limit int, notReady []string) string {
	if len(notReady) == 0 {
		return "" // the changes in progress use up the limit
	}
	named := strings.Join(notReady[:min(len(notReady), maxNamed)], ", ")
	if len(notReady) > maxNamed {
		named += ", …"
	}
	return fmt.Sprintf("waits: %d of at most %d games that may be not ready: %s", len(notReady), limit, named)
}

// Finish ends an active rollout that has no game left, and reports whether it has ended.
func (r *Rollout) Finish(games []Game, now time.Time) bool {
	if !r.State.IsActive() {
		return false
	}
	for _, g := range games {
		if g.State.IsInProgress() || r.IsDue(g) {
			return false
		}
	}
	r.State = StateCompleted
	failed := r.Counts.Failed
	if r.IsUndo {
		r.State, failed = StateUndone, r.Counts.RevertFailed
	}
	if failed > 0 {
		r.State = StateFailed
	}
	r.FinishedAt, r.Message = &now, ""
	return true
}

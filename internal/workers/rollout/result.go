package rollout

import (
	"errors"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
)

// result is the result of one try of a patch.
type result struct {
	gameID  string
	outcome operation.Outcome
	err     error
}

// evaluate returns the state of the game after the result. isFinal is false if the patch is to be
// repeated; its operation id makes a repetition harmless.
func (r *runner) evaluate(game rollout.Game, result result) (state rollout.GameState, message string, isFinal bool) {
	done, failed := rollout.GameUpdated, rollout.GameFailed
	if game.State == rollout.GameReverting {
		done, failed = rollout.GameReverted, rollout.GameRevertFailed
	}
	err := result.err
	if err == nil && result.outcome.Failure != nil {
		err = errors.New(result.outcome.Failure.Message)
	}
	if err == nil {
		return done, "", true
	}
	message = truncate(err.Error())
	switch {
	case errors.Is(err, operation.ErrPreempted):
		return rollout.GameSkipped, "a stop of the game has preempted the patch", true
	case result.outcome.Failure != nil:
		return failed, message, true
	case errors.Is(err, errOtherImage) && game.State == rollout.GameUpdating:
		return rollout.GamePending, "", true // it begins with the new image as its previous one
	case errors.Is(err, errOtherImage):
		return rollout.GameSkipped, message, true
	case errors.Is(err, runtime.ErrNotFound):
		return rollout.GameSkipped, "the game was deleted", true
	case !isTransient(err):
		return failed, message, true
	}
	limit := r.cfg.RetryFor
	if errors.Is(err, node.ErrUnreachable) && !errors.Is(err, runtime.ErrOutcomeUnknown) {
		limit = r.cfg.UnreachableFor
	}
	return failed, message, r.cfg.Clock().Sub(game.ChangedAt) > limit
}

// isTransient reports whether a repetition of the patch may succeed.
func isTransient(err error) bool {
	transient := []error{
		operation.ErrBusy, runtime.ErrOutcomeUnknown, runtime.ErrUnavailable, runtime.ErrLimited, runtime.ErrReadOnly, runtime.ErrConflict,
		runtime.ErrFenced, node.ErrUnreachable, node.ErrMisrouted,
	}
	return slices.ContainsFunc(transient, func(target error) bool { return errors.Is(err, target) })
}

func truncate(message string) string {
	if len(message) <= rollout.MaxMessageBytes {
		return message
	}
	return strings.ToValidUTF8(message[:rollout.MaxMessageBytes], "") + "…"
}

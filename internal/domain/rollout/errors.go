package rollout

import (
	"errors"
	"fmt"
)

// Errors of rollouts.
var (
	// ErrNotFound: there is no rollout of the id.
	ErrNotFound = errors.New("no such rollout")
	// ErrState: the state of the rollout does not allow the action.
	ErrState = errors.New("the state of the rollout does not allow this")
	// ErrOverlap: a game is part of another rollout that has not ended.
	ErrOverlap = errors.New("a game is part of another rollout")
)

// NotFoundError names the rollout that does not exist. It matches ErrNotFound.
type NotFoundError struct{ ID string }

// Error returns the id.
func (e *NotFoundError) Error() string { return fmt.Sprintf("no such rollout: %q", e.ID) }

// Is reports whether target is ErrNotFound.
func (e *NotFoundError) Is(target error) bool { return target == ErrNotFound }

// StateError is the error of an action in a state that does not allow it. It matches ErrState.
type StateError struct {
	ID     string
	State  State
	Action Action
}

// Error returns the state and the action.
func (e *StateError) Error() string {
	advice := ""
	switch {
	case e.Action == ActionUndo && (e.State == StatePaused || e.State == StateFailed):
		advice = " during its undo; resume it to continue"
	case e.Action == ActionDelete:
		advice = "; pause it, and wait until no change of a game is in progress"
	}
	return fmt.Sprintf("%s of rollout %s rejected: it is %s%s", e.Action, e.ID, e.State, advice)
}

// Is reports whether target is ErrState.
func (e *StateError) Is(target error) bool { return target == ErrState }

// OverlapError names a game that two rollouts select. It matches ErrOverlap.
type OverlapError struct {
	GameID, Other string
	State         State
}

// Error returns the game and the other rollout.
func (e *OverlapError) Error() string {
	return fmt.Sprintf("game %q is part of rollout %s, which is %s; complete, undo or delete that first", e.GameID, e.Other, e.State)
}

// Is reports whether target is ErrOverlap.
func (e *OverlapError) Is(target error) bool { return target == ErrOverlap }

package operation

import (
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Errors of operations.
var (
	// ErrBusy: another operation on the game is in progress; see BusyError.
	ErrBusy = errors.New("game has an operation in progress")
	// ErrRefused: the operation does not fit what the game is now; see RefusedError.
	ErrRefused = errors.New("operation does not fit the game's state")
	// ErrStartFailed: the container did not come up: it exited at once, or was not
	// healthy in time. What had been there before has been put back.
	ErrStartFailed = errors.New("container did not come up")
)

// BusyError says which operation is in the way. It errors.Is ErrBusy.
type BusyError struct {
	GameID      string
	OperationID string
	Kind        Kind
	Step        Step
	Holder      string // REGION/NODE that carries it out
	Actor       string // who asked for it; may be empty
	Since       time.Time
}

func (e *BusyError) Error() string {
	text := fmt.Sprintf("%s: %s %s (%s) on %s since %s", ErrBusy, e.Kind, e.OperationID, e.Step, e.Holder, e.Since.UTC().Format(time.RFC3339))
	if e.Actor != "" {
		text += ", asked for by " + e.Actor
	}
	return text
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// RefusedError is an operation that does not fit what the game is. It errors.Is
// ErrRefused.
type RefusedError struct {
	GameID    string
	Operation string
	Status    runtime.Status // empty where the status is not the reason
	Reason    string         // what is in the way, and what to do
}

func (e *RefusedError) Error() string { return e.Operation + " refused: " + e.Reason }

// Is reports whether target is ErrRefused.
func (e *RefusedError) Is(target error) bool { return target == ErrRefused }

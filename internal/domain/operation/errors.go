package operation

import (
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/runtime"
)

// Errors of operations.
var (
	// ErrBusy is returned while another operation on the game is in progress; see BusyError.
	ErrBusy = errors.New("game has an operation in progress")
	// ErrRejected is returned if the operation does not fit the game's state; see RejectedError.
	ErrRejected = errors.New("operation does not fit the game's state")
	// ErrStartFailed is returned if the container exited early or did not become healthy
	// in time. The previous container, if any, has been restored.
	ErrStartFailed = errors.New("container failed to start")
)

// BusyError describes the operation in progress. It matches ErrBusy.
type BusyError struct {
	GameID      string
	OperationID string
	Kind        Kind
	Step        Step
	Holder      string // REGION/NODE that runs the operation
	Actor       string // actor that requested it; may be empty
	Since       time.Time
}

func (e *BusyError) Error() string {
	text := fmt.Sprintf("%s: %s %s (%s) on %s since %s", ErrBusy, e.Kind, e.OperationID, e.Step, e.Holder, e.Since.UTC().Format(time.RFC3339))
	if e.Actor != "" {
		text += ", requested by " + e.Actor
	}
	return text
}

// Is reports whether target is ErrBusy.
func (e *BusyError) Is(target error) bool { return target == ErrBusy }

// RejectedError is returned for an operation that does not fit the game's state. It
// matches ErrRejected.
type RejectedError struct {
	GameID    string
	Operation string
	Status    runtime.Status // empty if the status is not the reason
	Reason    string         // what prevents the operation, and what to do
}

func (e *RejectedError) Error() string { return e.Operation + " rejected: " + e.Reason }

// Is reports whether target is ErrRejected.
func (e *RejectedError) Is(target error) bool { return target == ErrRejected }

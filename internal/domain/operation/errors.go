package operation

import (
	"errors"
	"fmt"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Errors of operations.
var (
	// ErrBusy is returned while another operation on the game is in progress; see BusyError.
	ErrBusy = errors.New("game has an operation in progress")
	// ErrRejected is returned if the operation does not fit the game's state; see RejectedError.
	ErrRejected = errors.New("operation does not fit the game's state")
	// ErrPreempted is returned if a stop preempted the operation, which was rolled back.
	ErrPreempted = errors.New("operation was preempted")
	// ErrCanceled is returned if the operation was canceled and rolled back.
	ErrCanceled = errors.New("operation was canceled")
	// ErrUnknownOperation is returned for an operation ID that the game does not have among its operations
	// in progress and its recent ones.
	ErrUnknownOperation = errors.New("no such operation")
	// ErrIDReused is returned for a request with the operation ID of another request; see
	// IDReusedError.
	ErrIDReused = errors.New("operation ID belongs to another request")
	// ErrManaged is returned for a write by hand to the record of a game that operations
	// manage; see ManagedError.
	ErrManaged = errors.New("record follows the game's container")
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

// IDReusedError describes the request to which an operation ID belongs. It matches
// ErrIDReused.
type IDReusedError struct {
	GameID      string
	OperationID string
	Kind        Kind // of the operation with that ID; empty for a write of the record
}

func (e *IDReusedError) Error() string {
	request := fmt.Sprintf("a %s of this game with other settings", e.Kind)
	if e.Kind == "" {
		request = "another write of this game's record"
	}
	return fmt.Sprintf("%s: %q is %s; use a new operation ID for a new request", ErrIDReused, e.OperationID, request)
}

// Is reports whether target is ErrIDReused.
func (e *IDReusedError) Is(target error) bool { return target == ErrIDReused }

// ManagedError is returned for a write by hand to the record of a game that operations
// manage. It matches ErrManaged.
type ManagedError struct {
	GameID string
	Node   node.Ref       // of the record
	To     runtime.Status // that the write requested
}

func (e *ManagedError) Error() string {
	advice := "an operation such as start, stop or cleanup"
	switch e.To {
	case runtime.StatusRunning:
		advice = string(KindStart)
	case runtime.StatusStopped:
		advice = string(KindStop)
	case runtime.StatusRemoved:
		advice = fmt.Sprintf("%s and %s", KindStop, KindCleanup)
	default: // of a version that did not name it
	}
	return fmt.Sprintf("%s: node %s runs the game and would correct the record; use %s, or change the record only", ErrManaged, e.Node, advice)
}

// Is reports whether target is ErrManaged.
func (e *ManagedError) Is(target error) bool { return target == ErrManaged }

// NewBusyError returns the error of a request for a game with the operation in progress.
func NewBusyError(gameID string, op Operation) *BusyError {
	return &BusyError{
		GameID: gameID, OperationID: op.ID, Kind: op.Kind, Step: op.Step,
		Holder: op.NodeRef().String(), Actor: op.Actor, Since: op.StartedAt,
	}
}

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

package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// failures pairs what ends an operation with what the intent remembers of it.
func failures() []struct {
	target error
	code   operation.FailureCode
} {
	return []struct {
		target error
		code   operation.FailureCode
	}{
		{errDeadline, operation.FailureDeadline}, // first: it comes together with what took so long
		{container.ErrNoImage, operation.FailureNoImage},
		{operation.ErrStartFailed, operation.FailureStart},
		{container.ErrEngineUnavailable, operation.FailureEngine},
		{runtime.ErrConflict, operation.FailureConflict},
		{runtime.ErrInvalid, operation.FailureInvalid},
		{node.ErrUnreachable, operation.FailureNodeLost},
	}
}

var (
	// errDeadline: the operation took longer than it may.
	errDeadline = errors.New("operation did not end in time")
	// errOvertaken: the operation is not this run's any more: the daemon lost its
	// presence, or another one took the operation over.
	errSuperseded = errors.New("operation has been taken over")
)

func failureOf(err error) *operation.Failure {
	for _, row := range failures() {
		if errors.Is(err, row.target) {
			return &operation.Failure{Code: row.code, Message: err.Error()}
		}
	}
	return &operation.Failure{Code: operation.FailureInternal, Message: err.Error()}
}

// failedError is a failure as its caller gets it, at the time or later.
type failedError struct {
	kind    operation.Kind
	failure operation.Failure
}

func (e *failedError) Error() string { return e.failure.Message }

// Is reports whether target is what the failure was remembered as.
func (e *failedError) Is(target error) bool {
	for _, row := range failures() {
		if row.code == e.failure.Code {
			return target == row.target
		}
	}
	return false
}

// errorOf is nil for an outcome that is a success.
func errorOf(outcome operation.Outcome) error {
	if outcome.Failure == nil {
		return nil
	}
	return &failedError{kind: outcome.Kind, failure: *outcome.Failure}
}

// transient reports whether an error may be gone when the act is repeated.
func transient(err error) bool {
	return errors.Is(err, container.ErrEngineUnavailable) || errors.Is(err, runtime.ErrUnavailable) ||
		errors.Is(err, runtime.ErrOutcomeUnknown) || errors.Is(err, runtime.ErrReadOnly) ||
		errors.Is(err, context.DeadlineExceeded)
}

// asSuperseded turns what the store says to a run that is not the operation's any
// more into errOvertaken.
func asSuperseded(err error) error {
	if errors.Is(err, runtime.ErrFenced) || errors.Is(err, runtime.ErrConflict) {
		return fmt.Errorf("%w: %w", errSuperseded, err)
	}
	return err
}

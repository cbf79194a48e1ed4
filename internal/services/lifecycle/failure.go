package lifecycle

import (
	"context"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// failures maps errors to the failure codes that the intent stores, in order of
// precedence.
func failures() []struct {
	target error
	code   operation.FailureCode
} {
	return []struct {
		target error
		code   operation.FailureCode
	}{
		{operation.ErrPreempted, operation.FailurePreempted},
		{operation.ErrCanceled, operation.FailureCanceled},
		{errDeadline, operation.FailureDeadline}, // first: it wraps the error of the step that took too long
		{container.ErrNoImage, operation.FailureNoImage},
		{container.ErrRegistryUnreachable, operation.FailureRegistry},
		{secret.ErrUnresolved, operation.FailureSecrets},
		{operation.ErrStartFailed, operation.FailureStart},
		{container.ErrEngineUnavailable, operation.FailureEngine},
		{runtime.ErrConflict, operation.FailureConflict},
		{runtime.ErrInvalid, operation.FailureInvalid},
		{node.ErrUnreachable, operation.FailureNodeLost},
	}
}

var (
	// errDeadline is the reason of a rollback after the deadline of the operation.
	errDeadline = errors.New("operation exceeded its deadline")
	// errSuperseded is returned if the operation no longer belongs to this execution: the
	// daemon lost its session, or another daemon claimed the operation.
	errSuperseded = errors.New("operation is superseded")
)

// failureOf returns the failure that represents an error in the intent.
func failureOf(err error) *operation.Failure {
	for _, row := range failures() {
		if errors.Is(err, row.target) {
			return &operation.Failure{Code: row.code, Message: err.Error(), NodeFault: isNodeFault(err, row.code)}
		}
	}
	return &operation.Failure{Code: operation.FailureInternal, Message: err.Error()}
}

// isNodeFault reports whether the reason of a failure is the node: its engine does not respond, it cannot
// get the image, or the engine reports that this machine cannot run the container, such as for a port in
// use. A game that exits or stays unhealthy fails on every node.
func isNodeFault(err error, code operation.FailureCode) bool {
	switch code {
	case operation.FailureNoImage, operation.FailureRegistry, operation.FailureEngine:
		return true
	case operation.FailureStart:
		return errors.Is(err, container.ErrNodeFault)
	default:
		return false
	}
}

// failedError is a stored failure as an error, whether the operation has just failed or
// its outcome is replayed.
type failedError struct{ failure operation.Failure }

func (e *failedError) Error() string { return e.failure.Message }

// Is reports whether target is the error of the failure's code.
func (e *failedError) Is(target error) bool {
	for _, row := range failures() {
		if row.code == e.failure.Code {
			return target == row.target
		}
	}
	return false
}

// errorOf returns the error of an outcome, nil if it is successful.
func errorOf(outcome operation.Outcome) error {
	if outcome.Failure == nil {
		return nil
	}
	return &failedError{*outcome.Failure}
}

// isTransient reports whether a retry may succeed without any other change.
func isTransient(err error) bool {
	return errors.Is(err, container.ErrEngineUnavailable) || errors.Is(err, runtime.ErrUnavailable) ||
		errors.Is(err, runtime.ErrOutcomeUnknown) || errors.Is(err, runtime.ErrReadOnly) ||
		errors.Is(err, context.DeadlineExceeded)
}

// asSuperseded wraps the errors by which the store rejects a superseded execution in
// errSuperseded.
func asSuperseded(err error) error {
	if errors.Is(err, runtime.ErrFenced) || errors.Is(err, runtime.ErrConflict) {
		return fmt.Errorf("%w: %w", errSuperseded, err)
	}
	return err
}

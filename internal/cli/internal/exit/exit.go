package exit

import (
	"context"
	"errors"

	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/federation"
	"galaxy/rtmanager/internal/domain/membership"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/domain/secret"
)

// The exit codes. They are part of the interface for scripts and do not change.
const (
	OK          = 0
	Failure     = 1
	Usage       = 2
	Conflict    = 3
	NotFound    = 4
	Unreachable = 5
	TimedOut    = 124
	Interrupted = 130
)

// Code returns the exit code of an error.
func Code(err error) int {
	var usage UsageError
	if coded, ok := errors.AsType[CodeError](err); ok {
		return coded.Code
	}
	if several, ok := errors.AsType[MultiError](err); ok {
		highest := OK
		for _, one := range several {
			highest = max(highest, Code(one))
		}
		return highest
	}
	switch {
	case errors.As(err, &usage), errors.Is(err, runtime.ErrInvalid), errors.Is(err, runtime.ErrInvalidTransition):
		return Usage
	case errors.Is(err, runtime.ErrConflict), errors.Is(err, operation.ErrBusy), errors.Is(err, operation.ErrRejected), errors.Is(err, node.ErrNoCapacity),
		errors.Is(err, operation.ErrManaged), errors.Is(err, operation.ErrIDReused), errors.Is(err, secret.ErrInUse), errors.Is(err, access.ErrExists),
		errors.Is(err, membership.ErrUnsafe), errors.Is(err, rollout.ErrState):
		return Conflict
	case errors.Is(err, runtime.ErrNotFound), errors.Is(err, secret.ErrNotFound), errors.Is(err, access.ErrUnknownSubject), errors.Is(err, membership.ErrNotFound),
		errors.Is(err, federation.ErrUnknownStore), errors.Is(err, rollout.ErrNotFound),
		errors.Is(err, operation.ErrUnknownOperation):
		return NotFound
	case errors.Is(err, runtime.ErrUnavailable), errors.Is(err, node.ErrUnreachable), errors.Is(err, container.ErrEngineUnavailable), errors.Is(err, membership.ErrNoQuorum),
		errors.Is(err, runtime.ErrPartial), errors.Is(err, federation.ErrUnusable):
		return Unreachable
	case errors.Is(err, context.DeadlineExceeded):
		return TimedOut
	}
	return Failure
}

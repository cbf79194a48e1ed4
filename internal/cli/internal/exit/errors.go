package exit

import (
	"errors"

	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// ErrNegative is the error of a command that has printed its result, and whose exit code is
// Failure. It is not reported.
var ErrNegative = errors.New("the result is negative")

// UsageError is an error of the command line itself.
type UsageError struct {
	Err error
	See string // command whose help describes the usage; may be empty
}

func (e UsageError) Error() string { return e.Err.Error() }
func (e UsageError) Unwrap() error { return e.Err }

// WriteError is the error of a write.
type WriteError struct {
	Err error
	// UnknownHint is the hint to print if the outcome of the write is unknown.
	UnknownHint string
	// Current is the record after an operation that failed; nil if there is none.
	Current *runtime.VersionedRecord
	To      runtime.Status // the requested status of a transition
}

func (e WriteError) Error() string { return e.Err.Error() }
func (e WriteError) Unwrap() error { return e.Err }

// RetryHint returns the hint for a write of unknown outcome that the user can repeat.
func RetryHint(origin ports.Origin) string {
	return "the write may or may not have been applied; it is safe to repeat it with --operation-id " + render.ShellWord(origin.OperationID)
}

// HintError is an error with its own hint.
type HintError struct {
	Err  error
	Hint string
}

func (e HintError) Error() string { return e.Err.Error() }
func (e HintError) Unwrap() error { return e.Err }

// MultiError is the errors of a command that acts on several games. Its exit code is the
// highest of all.
type MultiError []error

func (e MultiError) Error() string   { return errors.Join(e...).Error() }
func (e MultiError) Unwrap() []error { return e }

// Join returns nil without errors, a single error unchanged, and otherwise all.
func (e MultiError) Join() error {
	switch len(e) {
	case 0:
		return nil
	case 1:
		return e[0]
	default:
		return e
	}
}

// CodeError is an error with an exit code of its own.
type CodeError struct {
	Err  error
	Code int
}

func (e CodeError) Error() string { return e.Err.Error() }
func (e CodeError) Unwrap() error { return e.Err }

// SummaryError is the error of a command for several games that has reported the error of each.
// Its text is the summary, and its exit code the highest of all.
type SummaryError struct {
	Summary string
	Errs    MultiError
}

func (e SummaryError) Error() string { return e.Summary }
func (e SummaryError) Unwrap() error { return e.Errs }

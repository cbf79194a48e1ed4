package dockerengine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"

	"galaxy/rtmanager/internal/domain/container"
)

// callWithTimeout makes one call to the engine, which may take at most timeout. It returns
// container.ErrEngineUnavailable if there is no response or a malformed one, joined with
// the error of ctx if ctx has ended. It returns an error of the engine with its code, for
// errdefs; such an error must not leave this package.
func callWithTimeout[T any](ctx context.Context, timeout time.Duration, what string, call func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	result, err := call(bounded)
	switch {
	case err == nil:
		return result, nil
	case ctx.Err() != nil:
		return result, fmt.Errorf("%s: %w", what, contextError(ctx, err))
	case isEngineError(err):
		return result, fmt.Errorf("%s: %w", what, err)
	case bounded.Err() != nil:
		return result, fmt.Errorf("%s: %w: no response within %s", what, container.ErrEngineUnavailable, timeout)
	}
	return result, unavailable(fmt.Errorf("%s: %w", what, err))
}

// isEngineError reports whether err is an error response of the engine, by its HTTP status.
// A 503, or a status that the API does not define, comes from a proxy.
func isEngineError(err error) bool {
	for _, is := range []func(error) bool{
		errdefs.IsNotFound, errdefs.IsConflict, errdefs.IsInvalidArgument, errdefs.IsInternal, errdefs.IsUnauthorized,
		errdefs.IsPermissionDenied, errdefs.IsFailedPrecondition, errdefs.IsNotImplemented, errdefs.IsResourceExhausted,
	} {
		if is(err) {
			return true
		}
	}
	return false
}

// contextError returns the error of a call whose ctx has ended.
func contextError(ctx context.Context, err error) error {
	if errors.Is(err, container.ErrEngineUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, ctx.Err())
}

// unavailable translates an error that has no other translation.
func unavailable(err error) error { return asError(container.ErrEngineUnavailable, err) }

// asError returns the sentinel with the engine's message. It returns err itself if err is
// nil or already translated.
func asError(sentinel, err error) error {
	if err == nil || errors.Is(err, container.ErrEngineUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s", sentinel, engineMessage(err))
}

// engineMessage returns the message of the engine, without the prefix of its client.
func engineMessage(err error) string {
	return strings.Replace(err.Error(), "Error response from daemon: ", "", 1)
}

func noContainer(id string) error {
	return fmt.Errorf("container %s: %w", id, container.ErrNoContainer)
}

// malformedResponse returns the error for a response that contradicts the API. The caller
// must not act on such a response.
func malformedResponse(format string, args ...any) error {
	return fmt.Errorf("%w: %s", container.ErrEngineUnavailable, fmt.Sprintf(format, args...))
}

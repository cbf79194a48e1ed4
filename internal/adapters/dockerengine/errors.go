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

// within asks the engine one thing and bounds how long the answer may take. What
// is no answer, or makes no sense, comes back as runtime.ErrEngineUnavailable;
// beside it ctx's own error, if ctx has ended. A refusal of the engine comes back
// with its code, for errdefs to tell; none of those may leave this package.
func within[T any](ctx context.Context, limit time.Duration, what string, ask func(context.Context) (T, error)) (T, error) {
	bounded, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer, err := ask(bounded)
	switch {
	case err == nil:
		return answer, nil
	case ctx.Err() != nil:
		return answer, fmt.Errorf("%s: %w", what, gaveUp(ctx, err))
	case refused(err):
		return answer, fmt.Errorf("%s: %w", what, err)
	case bounded.Err() != nil:
		return answer, fmt.Errorf("%s: %w: no answer within %s", what, container.ErrEngineUnavailable, limit)
	}
	return answer, unavailable(fmt.Errorf("%s: %w", what, err))
}

// refused reports whether err is the engine's answer, by its HTTP status. A 503,
// or a status that the API does not know, comes from somebody in between.
func refused(err error) bool {
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

// gaveUp is the error of a call whose ctx has ended, with ctx's own beside it.
func gaveUp(ctx context.Context, err error) error {
	if errors.Is(err, container.ErrEngineUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, ctx.Err())
}

// unavailable is the translation of every error that has no other.
func unavailable(err error) error { return translated(container.ErrEngineUnavailable, err) }

// translated is err as the sentinel, in the engine's words; what was translated
// before stays as it is, and so does no error.
func translated(sentinel, err error) error {
	if err == nil || errors.Is(err, container.ErrEngineUnavailable) {
		return err
	}
	return fmt.Errorf("%w: %s", sentinel, words(err))
}

// words are the engine's, without what its client puts in front.
func words(err error) string {
	return strings.Replace(err.Error(), "Error response from daemon: ", "", 1)
}

func noContainer(id string) error {
	return fmt.Errorf("container %s: %w", id, container.ErrNoContainer)
}

// nonsense is an answer that cannot be: nothing may follow from it.
func nonsense(format string, args ...any) error {
	return fmt.Errorf("%w: %s", container.ErrEngineUnavailable, fmt.Sprintf(format, args...))
}

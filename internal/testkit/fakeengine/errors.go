package fakeengine

import (
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
)

func unavailable(reason error) error {
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, reason)
}

func isMissing(err error) bool { return errors.Is(err, container.ErrNoContainer) }

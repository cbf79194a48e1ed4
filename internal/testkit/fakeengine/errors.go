package fakeengine

import (
	"cmp"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/container"
)

func unavailable(reason error) error {
	return fmt.Errorf("%w: %w", container.ErrEngineUnavailable, reason)
}

func isMissing(err error) bool { return errors.Is(err, container.ErrNoContainer) }

// compareIDs orders ids by their number: a shorter id has a smaller number.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

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

func isGone(err error) bool { return errors.Is(err, container.ErrNoContainer) }

// compareIDs orders ids as they were given: shorter numbers are smaller ones.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

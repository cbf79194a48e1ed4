package fakeengine

import (
	"cmp"
	"errors"
	"fmt"

	"galaxy/rtmanager/internal/domain/runtime"
)

func unavailable(reason error) error {
	return fmt.Errorf("%w: %w", runtime.ErrEngineUnavailable, reason)
}

func isGone(err error) bool { return errors.Is(err, runtime.ErrNoContainer) }

// compareIDs orders ids as they were given: shorter numbers are smaller ones.
func compareIDs(a, b string) int { return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b)) }

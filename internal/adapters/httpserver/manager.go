package httpserver

import (
	"context"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/ports"
)

// Manager is the part of a daemon that runs the games of its node. Its methods
// are safe for concurrent use and end when ctx ends.
type Manager interface {
	// Execute carries out operations on games of this node. The server gives every
	// request an operation id, and asks only for games that have no node yet or
	// whose record names this one.
	ports.Executor

	// Explain says what is known of the game here. One of which nothing is known is
	// runtime.ErrNotFound.
	Explain(ctx context.Context, gameID string) (drift.Explanation, error)

	// Drift returns what this node finds now, with its brake if that is on. Missing
	// is empty.
	Drift(ctx context.Context) (drift.Report, error)

	// ApplyDrift acts on findings that Drift has just returned, one after the other,
	// and returns one result for each, in the same order. A finding under which
	// record or intent have moved is ports.ApplyStale. It is an error only if
	// nothing at all was tried.
	ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error)

	// ReleaseBrake lets go on what the brake of this node held back. It is a
	// *runtime.RefusedError when the brake is not on.
	ReleaseBrake(ctx context.Context) error
}

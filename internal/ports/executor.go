package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
)

// Executor runs operations on the games of this node. It is safe for concurrent use.
type Executor interface {
	// Execute runs one operation and returns its outcome, successful or
	// not. It calls report, which may be nil, on the caller's goroutine: with each
	// step, and with progress within a step.
	//
	// The operation does not depend on ctx: when ctx ends, Execute returns ctx's error
	// and the operation continues. A request with the operation id of an operation in
	// progress waits for that operation. A request with the operation id of a recent
	// outcome of the game changes nothing and returns that outcome.
	//
	// An operation that failed returns an error together with its outcome:
	// container.ErrNoImage, operation.ErrStartFailed or container.ErrEngineUnavailable,
	// with the message of the failure. A request that is rejected before it starts has
	// no outcome and returns one of
	//
	//   - runtime.ErrInvalid for a request that could never be accepted,
	//   - runtime.ErrNotFound for a game without a record or container,
	//   - operation.ErrBusy (an *operation.BusyError) while another operation on the
	//     game is in progress,
	//   - operation.ErrRefused (an *operation.RefusedError) for an operation that does
	//     not fit the game's state,
	//   - the store's errors.
	Execute(ctx context.Context, request OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
}

// OperationRequest is the input of Executor.Execute.
type OperationRequest struct {
	GameID string
	// Kind is one of start, stop, restart, patch and cleanup.
	Kind operation.Kind
	// Spec is what a start runs; nil means the spec of the game's last run.
	Spec *operation.Spec
	// Image is the new image of a patch. Force allows another major or minor version,
	// and versions that cannot be compared.
	Image string
	Force bool
	// Origin identifies the request. The executor generates an empty operation id.
	Origin Origin
}

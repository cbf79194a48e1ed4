package ports

import (
	"context"

	"galaxy/rtmanager/internal/domain/operation"
)

// Executor carries out the operations on games of this node.
type Executor interface {
	// Execute carries out one operation and returns its outcome, which says whether
	// it succeeded. report, which may be nil, is called with each step and with
	// progress within one, by the goroutine that called Execute.
	//
	// The operation is not bound to ctx: when that ends, Execute returns ctx's
	// error and the operation goes on. A request with the operation id of one that
	// is in progress waits for that one; with the id of one among the recent
	// outcomes of the game it changes nothing and returns that outcome.
	//
	// An operation that failed is an error, beside its outcome: runtime.ErrNoImage,
	// runtime.ErrStartFailed or runtime.ErrEngineUnavailable, with the words of the
	// failure. What was refused before it began has no outcome: runtime.ErrInvalid,
	// runtime.ErrNotFound for a game that nobody knows, runtime.ErrBusy (a
	// *runtime.BusyError) while another is in progress, runtime.ErrRefused (a
	// *runtime.RefusedError) for one that does not fit the game's state, and the
	// store's own errors.
	Execute(ctx context.Context, request OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
}

// OperationRequest asks for one operation.
type OperationRequest struct {
	GameID string
	// Kind is one of start, stop, restart, patch and cleanup.
	Kind operation.Kind
	// Spec is what a start is to run; nil is what the game ran before.
	Spec *operation.Spec
	// Image is what a patch changes to. Force allows another major or minor
	// version, or versions that cannot be compared.
	Image string
	Force bool
	// Origin's operation id, where it is empty, is made by the operator.
	Origin Origin
}

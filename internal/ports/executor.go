package ports

import (
	"context"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// Executor runs lifecycle operations on the games of one node.
type Executor interface {
	// Execute runs one operation and returns its outcome when the operation is done.
	//
	// The operation does not end with ctx: when ctx ends, Execute returns the error of
	// ctx and the operation continues. A request with the operation ID of the operation
	// in progress joins that operation. A request with the operation ID of one of the
	// game's recent outcomes changes nothing and returns that outcome.
	//
	// Execute calls report, which may be nil, on the goroutine of the caller, one call at
	// a time, and never after it has returned:
	//   - The first report has the step operation.StepAccepted: the operation is stored.
	//     A request that is rejected, and one that returns a recent outcome, reports
	//     nothing.
	//   - Each later step is reported when it begins, in order. Further reports within
	//     a step carry Text or the bytes of an image pull.
	//   - Reports are buffered for the whole operation. A slow report delays its own
	//     caller and nothing else, and a request that joins an operation receives all its
	//     reports from the first. Of successive byte counts only the latest is kept.
	//   - There is no report for the end of the operation: the outcome is the result.
	//
	// A stop preempts a start, restart or patch of the game: that operation is rolled back
	// and fails with operation.ErrPreempted, and then the stop is carried out. A stop that
	// would kill the game earlier than the stop in progress cuts it short, and is carried
	// out after it.
	//
	// A failed operation returns an error in addition to its outcome:
	// container.ErrNoImage, container.ErrRegistryUnreachable, operation.ErrStartFailed,
	// container.ErrEngineUnavailable or the error of another operation.FailureCode, with the
	// text of the failure. If the result is not known, because the daemon stops or has lost
	// its session, the error is runtime.ErrOutcomeUnknown.
	//
	// A rejected request returns no outcome: runtime.ErrInvalid; runtime.ErrNotFound for
	// an unknown game; operation.ErrBusy (an *operation.BusyError) while another
	// operation is in progress; operation.ErrIDReused for the operation ID of another
	// request; operation.ErrRejected (an *operation.RejectedError) if the
	// operation does not fit the game's state; node.ErrUnreachable while this daemon has
	// no session; and the errors of the store.
	Execute(ctx context.Context, request OperationRequest, report func(operation.Progress)) (operation.Outcome, error)
}

// OperationRequest requests one operation.
type OperationRequest struct {
	GameID string
	// Kind is start, stop, restart, patch, cleanup or move.
	Kind operation.Kind
	// Spec is the spec of a start or patch; nil means the game's current spec. A spec without an
	// image has the current one. A patch that changes no setting of the container, but only those
	// of the health check, of stops and of crashes, changes them without a restart.
	Spec *operation.Spec
	// Image is the new image of a patch. Empty means that of Spec. Force allows another major or minor version, and
	// versions that cannot be compared; for a move, a cordoned node.
	Image string
	Force bool
	// Pull makes a start or patch that creates a container pull the image even if the node has it. A patch to
	// the image that the game has then creates a new container, as it does with Force.
	Pull bool
	// Labels are the labels of a start; nil keeps those of the game.
	Labels map[string]string
	// Metadata is that of a start; empty keeps that of the game, and {} removes it.
	Metadata runtime.Metadata `json:",omitzero"`
	// StopGrace is how long a stop lets the game exit before it kills it; nil means the
	// stop grace of the game's spec, and 0 kills at once.
	StopGrace *time.Duration
	// IsReserved reports that the node has a reservation for the operation, which ends with it.
	IsReserved bool
	// AnyNode reports that the caller of a start named no node. If the start fails for a reason of this
	// node, it continues on another one of the region.
	AnyNode bool
	// Target is the node that is to run the game after a move. Without a region it is one of the
	// region of the game.
	Target *node.Ref
	// Seen is the state of the game as the caller has read it for this request, nil if it has not. The
	// executor may use it in place of a read: it accepts no operation on an intent that has changed since.
	Seen *SeenGame
	// Origin holds the operation ID, the actor and the reason. The executor creates an
	// operation ID if there is none.
	Origin Origin
}

// SeenGame is the intent and the record of a game as of one revision. The zero values are those of what there
// is not.
type SeenGame struct {
	Intent VersionedIntent
	Record runtime.VersionedRecord
}

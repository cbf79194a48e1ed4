package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// LocalNode is the part of this daemon that runs the games of its node. Its methods
// are safe for concurrent use and end when ctx ends.
type LocalNode interface {
	// Execute carries out operations on games that have no node yet or whose record
	// names this node.
	ports.Executor

	// Offer reports how well this node could run a game with the spec. It changes nothing.
	// It returns runtime.ErrInvalid for a spec that the node cannot run, and
	// container.ErrEngineUnavailable if the engine does not respond.
	Offer(ctx context.Context, gameID string, spec operation.Spec) (node.Offer, error)

	// Explain explains the game on this node.
	Explainer

	// Drift returns the current findings of this node, and its brake if it is engaged. The
	// report's Missing is empty.
	Drift(ctx context.Context) (drift.Report, error)

	// ApplyDrift applies findings that Drift has just returned, one after the other. It
	// returns one result per finding, in the same order. A finding whose record or intent
	// has changed results in drift.ApplyStale. It returns an error only if it has applied
	// none of them.
	ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error)

	// ReleaseBrake releases the brake of this node. It returns an *operation.RejectedError
	// if the brake is not engaged.
	ReleaseBrake(ctx context.Context) error
}

// Explainer explains games.
type Explainer interface {
	// Explain returns the explanation of the game. It returns runtime.ErrNotFound for a game
	// without record, intent and container.
	Explain(ctx context.Context, gameID string) (drift.Explanation, error)
}

// Peer is a client of the daemons of other nodes. If the node does not respond, every
// method returns an error that errors.Is node.ErrUnreachable, or the cause of ctx. The
// error also matches runtime.ErrOutcomeUnknown if the node may have changed something.
// Errors that the node responds with are returned as they are.
type Peer interface {
	// Offer returns the node's offer for a game.
	Offer(ctx context.Context, target node.Node, gameID string, spec operation.Spec) (node.Offer, error)
	// Explain returns the node's explanation of the game.
	Explain(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error)
	// Drift returns the current findings of the node, and its brake if it is engaged.
	Drift(ctx context.Context, target node.Node) (drift.Report, error)
	// ApplyDrift applies findings of the node on the node.
	ApplyDrift(ctx context.Context, target node.Node, findings []drift.Finding, actor string) ([]drift.ApplyResult, error)
	// ReleaseBrake releases the node's brake.
	ReleaseBrake(ctx context.Context, target node.Node) error
	// Operate carries out an operation on the node, and returns when it has ended: nil, or
	// the error of the operation. The request has an operation id.
	Operate(ctx context.Context, target node.Node, request ports.OperationRequest) error
	// Patch runs a patch on the node, and returns its outcome, with an error if it failed.
	Patch(ctx context.Context, target node.Node, request ports.OperationRequest) (operation.Outcome, error)
}

// Records reads the records of all games.
type Records interface {
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	// GetLocal returns a record that may be older, and the revision to which it is current.
	GetLocal(ctx context.Context, gameID string) (runtime.VersionedRecord, int64, error)
	placement.RecordLister
}

// Intents reads intents, and ends the operations of nodes that have been given up.
type Intents interface {
	GetIntent(ctx context.Context, gameID string) (ports.VersionedIntent, error)
	// GetIntentAndRecord returns both as of one revision; the zero values for what there is not.
	GetIntentAndRecord(ctx context.Context, gameID string) (ports.VersionedIntent, runtime.VersionedRecord, error)
	PutIntent(ctx context.Context, intent operation.Intent, replaces ports.IntentVersion, fences ...node.Fence) (ports.IntentVersion, error)
	placement.ActiveOperations
}

// Dependencies are the parts that a Service calls.
type Dependencies struct {
	Records Records
	// Nodes is the registry of nodes; nil for a daemon that is not part of a cluster.
	Nodes ports.NodeRegistry
	// Intents, if not nil, finds the node of an operation on a game without a record, the spec of
	// a game that is started without one, and the nodes that may have a container of a game that
	// is to be deleted.
	Intents Intents
	// Writer changes the records of games that have been given up; nil if no game can be deleted
	// by force.
	Writer Transitioner
	// Reservations is shared by all daemons; nil reserves in the memory of this one.
	Reservations ports.ReservationStore
	// Local runs the games of this node; nil for a daemon without an engine.
	Local LocalNode
	// Stored explains games by the store alone, if their node cannot; nil if nothing does.
	Stored Explainer
	// Peer calls other nodes. It is required if Nodes is not nil.
	Peer Peer
}

// Config tunes a Service.
type Config struct {
	// Region and Node name this daemon's node.
	Region, Node string
	// PeerTimeout bounds a read from another node. Default 10 s.
	PeerTimeout time.Duration
	// ErrorText returns the text of an error that a client may see in a report, without
	// the server's internals. Default: the error's own text.
	ErrorText func(error) string
	// Logger receives the errors whose internals ErrorText hides; nil discards them.
	Logger *slog.Logger
}

// Service carries out requests on the nodes of one cluster. It is safe for concurrent
// use.
type Service struct {
	deps      Dependencies
	cfg       Config
	self      node.Ref
	scheduler *placement.Scheduler
}

// New returns a service. It starts no goroutines.
func New(deps Dependencies, cfg Config) *Service {
	cfg.PeerTimeout = cmp.Or(cfg.PeerTimeout, 10*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.ErrorText == nil {
		cfg.ErrorText = func(err error) string { return err.Error() }
	}
	return &Service{
		deps: deps, cfg: cfg,
		self: node.Ref{Region: cfg.Region, Name: cfg.Node},
		scheduler: placement.NewScheduler(placement.Dependencies{
			Records: deps.Records, Operations: deps.Intents, Reservations: deps.Reservations,
		}),
	}
}

// requireEngine returns node.ErrNoEngine if this daemon runs no games.
func (s *Service) requireEngine() error {
	if s.deps.Local == nil {
		return node.ErrNoEngine
	}
	return nil
}

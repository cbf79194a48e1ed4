package cluster

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
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

	// Explain returns what is known of the game on this node, or runtime.ErrNotFound if
	// that is nothing.
	Explain(ctx context.Context, gameID string) (drift.Explanation, error)

	// Drift returns what this node finds now, with its brake if the brake is on. The
	// report's Missing is empty.
	Drift(ctx context.Context) (drift.Report, error)

	// ApplyDrift acts on findings that Drift has just returned, one after the other,
	// and returns one result for each, in the same order. A finding whose record or
	// intent has changed results in drift.ApplyStale. It returns an error only if it
	// has tried nothing.
	ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error)

	// ReleaseBrake lets this node do what its brake blocks. It returns an
	// *operation.RefusedError if the brake is not on.
	ReleaseBrake(ctx context.Context) error
}

// Peer is a client of the daemons of other nodes. Without a response every method
// returns an error that errors.Is node.ErrUnreachable, or the cause of ctx; together
// with runtime.ErrOutcomeUnknown if the node may have changed something. Errors that
// the node itself returns are passed on.
type Peer interface {
	// Explain returns what the node knows of the game.
	Explain(ctx context.Context, target node.Node, gameID string) (drift.Explanation, error)
	// Drift returns what the node finds now.
	Drift(ctx context.Context, target node.Node) (drift.Report, error)
	// ApplyDrift lets the node act on its findings.
	ApplyDrift(ctx context.Context, target node.Node, findings []drift.Finding, actor string) ([]drift.ApplyResult, error)
	// ReleaseBrake releases the node's brake.
	ReleaseBrake(ctx context.Context, target node.Node) error
}

// Records reads the records of all games.
type Records interface {
	GetVersioned(ctx context.Context, gameID string) (runtime.VersionedRecord, error)
	placement.RecordLister
}

// Dependencies are the parts that a Service calls.
type Dependencies struct {
	Records Records
	// Nodes is the registry of nodes; nil for a daemon that is not part of a cluster.
	Nodes ports.NodeRegistry
	// Local runs the games of this node; nil for a daemon without an engine.
	Local LocalNode
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
	// Logger takes the errors that ErrorText hides. Default: none.
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

// New returns a service, which starts nothing.
func New(deps Dependencies, cfg Config) *Service {
	cfg.PeerTimeout = cmp.Or(cfg.PeerTimeout, 10*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.ErrorText == nil {
		cfg.ErrorText = func(err error) string { return err.Error() }
	}
	return &Service{
		deps: deps, cfg: cfg,
		self:      node.Ref{Region: cfg.Region, Name: cfg.Node},
		scheduler: placement.NewScheduler(deps.Records),
	}
}

// requireEngine returns node.ErrNoEngine if this daemon runs no games.
func (s *Service) requireEngine() error {
	if s.deps.Local == nil {
		return node.ErrNoEngine
	}
	return nil
}

// Package drain drains this node: it moves or stops the games of the node after an operator has
// requested that. The request and its progress are settings of the node, so a restarted daemon
// continues.
//
//	worker.go  Worker: waits for a drain and makes passes until it has ended
//	pass.go    a pass over the running games, and the move or stop of one
package drain

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// View reads the settings in memory; services/maintenance implements it.
type View interface {
	// Current returns the settings, and false before they are known.
	Current() (node.Maintenance, bool)
	// Changed returns a channel that is closed at the next change.
	Changed() <-chan struct{}
}

// Dependencies are the parts that a Worker uses. All but PendingRestarts are required.
type Dependencies struct {
	View     View
	Settings ports.NodeSettingsStore
	Records  ports.RuntimeReader
	Intents  ports.IntentStore
	Nodes    ports.NodeRegistry
	Executor ports.Executor
	// Placement selects and reserves the nodes of games; placement.Scheduler implements it.
	Placement interface {
		Select(ctx context.Context, request placement.Request) (placement.Selection, error)
		Release(ctx context.Context, ref node.Ref, gameID, operationID string) error
	}
	// PendingRestarts returns the games of this node that do not run and are to be restarted, ordered
	// by game; nil means that there are none.
	PendingRestarts func(ctx context.Context) ([]string, error)
}

// Config configures a Worker. Region and Node are required.
type Config struct {
	Region, Node string
	// Interval is the time between two passes. Default 1 s.
	Interval time.Duration
	// MaxParallel is the number of games that are moved or stopped at once. Default 4.
	MaxParallel int
	// RetryAfter is how long a game whose move failed is left alone. Default 5 s.
	RetryAfter time.Duration
	// Clock is the clock of the node. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per game; nil discards them.
	Logger *slog.Logger
}

// Worker is the drain worker of one node.
type Worker struct {
	deps Dependencies
	cfg  Config
	self node.Ref

	mu       sync.Mutex
	drainID  string                      // of the drain that the fields below are about
	retryAt  map[string]time.Time        // by game, of the failed ones; guarded by mu
	failures map[string]map[node.Ref]int // by game: how often a move to a node failed; guarded by mu
	waiting  map[string]bool             // games that were reported as waiting; guarded by mu
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Interval = cmp.Or(cfg.Interval, time.Second)
	cfg.MaxParallel = cmp.Or(cfg.MaxParallel, 4)
	cfg.RetryAfter = cmp.Or(cfg.RetryAfter, 5*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Worker{deps: deps, cfg: cfg, self: node.Ref{Region: cfg.Region, Name: cfg.Node}}
}

// Run makes passes while a drain of this node is in progress, until ctx ends. Then it returns
// nil.
func (w *Worker) Run(ctx context.Context) error {
	for ctx.Err() == nil {
		changed := w.deps.View.Changed()
		active := w.activeDrain()
		if active != nil {
			if err := w.Pass(ctx, *active); err != nil && ctx.Err() == nil {
				w.cfg.Logger.Warn("drain pass failed", "error", err)
			}
		}
		w.wait(ctx, changed, active != nil)
	}
	return nil
}

// activeDrain returns the drain of this node that is in progress, nil for none.
func (w *Worker) activeDrain() *node.Drain {
	current, _ := w.deps.View.Current()
	if drain := current.Nodes[w.self].Drain; drain.IsActive() {
		return drain
	}
	return nil
}

// wait waits for a change of the settings, and during a drain at most Interval. A drain changes
// the settings itself, so a change must not make the next pass at once.
func (w *Worker) wait(ctx context.Context, changed <-chan struct{}, isDraining bool) {
	if !isDraining {
		select {
		case <-changed:
		case <-ctx.Done():
		}
		return
	}
	timer := time.NewTimer(w.cfg.Interval)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// errEnded reports that the drain was finished, replaced or canceled.
var errEnded = errors.New("the drain has ended")

// update changes the stored drain. It returns errEnded, and writes nothing, if it has ended.
func (w *Worker) update(ctx context.Context, id string, change func(*node.Drain)) (node.Drain, error) {
	settings, err := w.deps.Settings.UpdateNode(ctx, w.self, func(s *node.Settings) error {
		if !s.Drain.IsActive() || s.Drain.ID != id {
			return errEnded
		}
		change(s.Drain)
		return nil
	})
	if err != nil {
		return node.Drain{}, err
	}
	return *settings.Drain, nil
}

package failover

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Rescheduler assigns games to other nodes; the lifecycle service implements it.
type Rescheduler interface {
	// Reschedule assigns the game of the record to the node, under the fence of the leader.
	Reschedule(ctx context.Context, seen runtime.VersionedRecord, to node.Ref, fence node.Fence) error
}

// Dependencies are the parts that a Worker uses. All are required.
type Dependencies struct {
	Records     ports.RuntimeReader
	Intents     ports.IntentStore
	Nodes       ports.NodeRegistry
	Election    ports.Election
	Rescheduler Rescheduler
}

// Config configures a Worker. Region and Node are required.
type Config struct {
	Region, Node string
	// Grace is how long a node must be absent before its games are rescheduled. Default
	// 30 s.
	Grace time.Duration
	// Interval is the time between two passes. Default 5 s.
	Interval time.Duration
	// Clock measures how long nodes have been absent. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per failed pass and change of leadership; nil discards them.
	Logger *slog.Logger
}

// Worker is the failover worker of one node. It is idle while another node leads the
// region.
type Worker struct {
	deps Dependencies
	cfg  Config

	mu      sync.Mutex     // guards the fields below
	tracker *drift.Tracker // nil while another node leads
	// interrupted holds the interrupted games of the latest pass; nil before the first
	// pass of a leadership.
	interrupted []string
	// intents holds the intents of the lost games, so that a pass need not read them once more.
	intents map[string]cachedIntent
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Grace = cmp.Or(cfg.Grace, 30*time.Second)
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{deps: deps, cfg: cfg, intents: map[string]cachedIntent{}}
}

// Run campaigns for the leadership of the region, and makes passes while it leads, until
// ctx ends. Then it returns nil.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.deps.Election.Lead(ctx, w.cfg.Region, w.lead); ctx.Err() == nil {
		return err
	}
	return nil
}

// lead makes passes until the leadership is lost.
func (w *Worker) lead(ctx context.Context, fence node.Fence) error {
	w.cfg.Logger.Info("leadership gained", "region", w.cfg.Region)
	defer w.cfg.Logger.Info("leadership lost", "region", w.cfg.Region)
	defer w.reset()
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := w.Pass(ctx, fence); err != nil && ctx.Err() == nil {
			if errors.Is(err, runtime.ErrFenced) {
				return err
			}
			w.cfg.Logger.Warn("failover pass failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
		}
	}
}

// reset drops the state of a leadership.
func (w *Worker) reset() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tracker, w.interrupted = nil, nil
	clear(w.intents)
}

// Findings returns the lost games: none while another node leads.
func (w *Worker) Findings() []drift.Finding {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tracker == nil {
		return nil
	}
	return w.tracker.All()
}

// ensureTracker returns the tracker of this leadership.
func (w *Worker) ensureTracker() *drift.Tracker {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.tracker == nil {
		w.tracker = drift.NewTracker()
	}
	return w.tracker
}

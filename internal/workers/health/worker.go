package health

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Enqueuer is the queue of the reconcile worker.
type Enqueuer interface {
	// Enqueue requests to reconcile the game.
	Enqueue(gameID string)
}

// Dependencies are the parts that a Worker uses. All are required.
type Dependencies struct {
	Records ports.RuntimeReader
	Intents ports.IntentStore
	Prober  ports.HealthProber
	Queue   Enqueuer
}

// Config configures a Worker. Region and Node are required; zero means the default that
// the comment names.
type Config struct {
	Region, Node string
	// Interval is the time between two passes, plus or minus a fifth. Default 5 s.
	Interval time.Duration
	// Failures is the number of failed probes in a row that make a game unhealthy.
	// Default 3.
	Failures int
	// Concurrency is the maximum number of concurrent probes. Default 16.
	Concurrency int
	// Logger receives a line per failed pass; nil discards them.
	Logger *slog.Logger
}

// Worker is the health worker of one node. It is safe for concurrent use.
type Worker struct {
	deps Dependencies
	cfg  Config

	specs map[string]cachedSpec // by game; only Pass uses it

	mu      sync.Mutex
	results map[string]*probeResult // by game; guarded by mu
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	cfg.Failures = cmp.Or(cfg.Failures, 3)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 16)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{deps: deps, cfg: cfg, results: map[string]*probeResult{}}
}

// Run makes a pass after every interval until ctx ends, and then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	for wait.For(ctx, wait.Jittered(w.cfg.Interval)) == nil {
		if err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("health pass failed", "error", err)
		}
	}
	return nil
}

// Pass probes every running game of this node once. It must not run concurrently.
func (w *Worker) Pass(ctx context.Context) error {
	running, err := w.listRunning(ctx)
	if err != nil {
		return err
	}
	specs, err := w.loadSpecs(ctx, running)
	if err != nil {
		return err
	}
	var probes errgroup.Group
	probes.SetLimit(w.cfg.Concurrency)
	for _, found := range running {
		record := found.Record
		spec, isIdle := specs[record.GameID]
		if !isIdle { // the operation in progress checks the health itself
			w.removeResult(record.GameID)
			continue
		}
		spec = spec.WithDefaults()
		if !spec.HasHealthCheck() || record.EngineEndpoint == "" {
			continue
		}
		probes.Go(func() error {
			err := w.deps.Prober.Probe(ctx, record.EngineEndpoint+spec.HealthPath)
			if ctx.Err() == nil {
				w.recordProbe(record, err)
			}
			return nil
		})
	}
	_ = probes.Wait() // no probe returns an error
	w.pruneResults(running)
	return ctx.Err()
}

// listRunning returns the running records of this node. A local read suffices: the
// reconcile worker reads the current record before it acts.
func (w *Worker) listRunning(ctx context.Context) ([]runtime.VersionedRecord, error) {
	query := ports.PageQuery{Status: runtime.StatusRunning, Region: w.cfg.Region, Node: w.cfg.Node, Local: true}
	var running []runtime.VersionedRecord
	for page, err := range ports.AllPages(ctx, w.deps.Records, query) {
		if err != nil {
			return nil, fmt.Errorf("list the running games of this node: %w", err)
		}
		running = append(running, page.Records...)
	}
	return running, nil
}

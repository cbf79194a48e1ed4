package health

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
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
	// Concurrency is the maximum number of concurrent probes of games whose latest probe
	// passed, and separately of those whose latest probe failed. Default 32.
	Concurrency int
	// HasContainerAddresses is set if the endpoints of games have the addresses of their containers.
	HasContainerAddresses bool
	// Logger receives a line per failed pass; nil discards them.
	Logger *slog.Logger
}

// Worker is the health worker of one node. It is safe for concurrent use.
type Worker struct {
	deps Dependencies
	cfg  Config

	specs map[string]cachedSpec // by game; only Pass uses it

	// healthy and suspect limit the concurrent probes of games whose latest probe passed and
	// failed. Games that hang delay only each other.
	healthy, suspect *semaphore.Weighted
	probes           sync.WaitGroup

	mu      sync.Mutex
	results map[string]*probeResult // by game; guarded by mu
	probing map[string]bool         // games with a probe in progress or waiting; guarded by mu
	// isSuspended reports that results are discarded, and epoch counts the changes of that.
	// Guarded by mu.
	isSuspended bool
	epoch       int
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	cfg.Failures = cmp.Or(cfg.Failures, 3)
	cfg.Concurrency = cmp.Or(cfg.Concurrency, 32)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{
		deps: deps, cfg: cfg, results: map[string]*probeResult{}, probing: map[string]bool{},
		healthy: semaphore.NewWeighted(int64(cfg.Concurrency)), suspect: semaphore.NewWeighted(int64(cfg.Concurrency)),
	}
}

// Run begins probes of all games after every interval until ctx ends, and then returns nil.
// A probe that takes longer than the interval does not delay those of other games.
func (w *Worker) Run(ctx context.Context) error {
	defer w.probes.Wait()
	for wait.For(ctx, wait.Jittered(w.cfg.Interval)) == nil {
		if err := w.beginPass(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("health pass failed", "error", err)
		}
	}
	return nil
}

// Pass probes every running game of this node once, and waits for the results. It must not
// run concurrently.
func (w *Worker) Pass(ctx context.Context) error {
	if err := w.beginPass(ctx); err != nil {
		return err
	}
	w.probes.Wait()
	return ctx.Err()
}

// beginPass begins a probe of every running game of this node, except those with a probe in
// progress.
func (w *Worker) beginPass(ctx context.Context) error {
	running, err := w.listRunning(ctx)
	if err != nil {
		return err
	}
	specs, err := w.loadSpecs(ctx, running)
	if err != nil {
		return err
	}
	w.pruneResults(running)
	for _, found := range running {
		record := *found.Record
		spec, isIdle := specs[record.GameID]
		if !isIdle { // the operation in progress checks the health itself
			w.removeResult(record.GameID)
			continue
		}
		if check := spec.HealthCheck(); check.Kind != operation.HealthKindNone && w.isDue(record, check) {
			w.beginProbe(ctx, record, check)
		}
	}
	return nil
}

// beginProbe probes the game in the background, unless a probe of it is in progress.
func (w *Worker) beginProbe(ctx context.Context, record runtime.RuntimeRecord, check operation.HealthCheck) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.probing[record.GameID] {
		return
	}
	w.probing[record.GameID] = true
	w.probes.Go(func() {
		limit := w.healthy
		if w.isSuspect(record.GameID) {
			limit = w.suspect
		}
		if limit.Acquire(ctx, 1) == nil {
			w.probe(ctx, record, check)
			limit.Release(1)
		}
		w.mu.Lock()
		defer w.mu.Unlock()
		delete(w.probing, record.GameID)
	})
}

// probe probes the game and records the result.
func (w *Worker) probe(ctx context.Context, record runtime.RuntimeRecord, check operation.HealthCheck) {
	epoch := w.currentEpoch()
	target, isKnown := check.Target(operation.HealthSource{
		ContainerID: record.CurrentContainerID, Endpoint: record.EngineEndpoint, StatePath: record.StatePath, Ports: record.Ports,
		HasContainerAddress: w.cfg.HasContainerAddresses,
	})
	if !isKnown {
		return
	}
	err := w.deps.Prober.Probe(ctx, target)
	if ctx.Err() == nil {
		w.recordProbe(record, check, err, epoch)
	}
}

// Recheck probes the game once more and records the result. An unhealthy game that passes
// is healthy at once.
func (w *Worker) Recheck(ctx context.Context, record runtime.RuntimeRecord, spec operation.Spec) {
	if check := spec.HealthCheck(); check.Kind != operation.HealthKindNone {
		w.probe(ctx, record, check)
	}
}

// listRunning returns the running records of this node, which the store shares. A local read
// suffices: the reconcile worker reads the current record before it acts.
func (w *Worker) listRunning(ctx context.Context) ([]ports.SharedRecord, error) {
	query := ports.ScanQuery{RecordFilter: ports.FilterByNode(node.Ref{Region: w.cfg.Region, Name: w.cfg.Node}, runtime.StatusRunning), Local: true}
	var running []ports.SharedRecord
	for found, err := range ports.ScanRecords(ctx, w.deps.Records, query) {
		if err != nil {
			return nil, fmt.Errorf("list the running games of this node: %w", err)
		}
		running = append(running, found)
	}
	return running, nil
}

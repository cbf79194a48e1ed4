// Package health probes the running games of one node, and enqueues those that become
// unhealthy or healthy.
//
// A game is unhealthy after Config.Failures failed probes in a row. The result belongs to
// one run of the game: container and start time.
package health

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

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

// probeResult is the result of the latest probes of one run of a game.
type probeResult struct {
	containerID string
	startedAt   time.Time
	failures    int   // in a row
	lastErr     error // not updated while the game is unhealthy
}

// isForRun reports whether the result belongs to the run that the record describes.
func (p *probeResult) isForRun(record runtime.RuntimeRecord) bool {
	return p.containerID == record.CurrentContainerID && p.startedAt.Equal(startTime(record))
}

// startTime returns when the record's run started; zero if another writer left that out.
func startTime(record runtime.RuntimeRecord) time.Time {
	if record.StartedAt == nil {
		return time.Time{}
	}
	return *record.StartedAt
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

// Unhealthy describes how the game has failed its probes in the run that the record
// describes; empty if it has not. The result of another run does not count.
func (w *Worker) Unhealthy(record runtime.RuntimeRecord) string {
	w.mu.Lock()
	defer w.mu.Unlock()
	p := w.results[record.GameID]
	if p == nil || !p.isForRun(record) || p.failures < w.cfg.Failures {
		return ""
	}
	// The text has no exact count: a finding with another text would be a new finding.
	return fmt.Sprintf("container %s failed at least %d health checks in a row: %s", p.containerID, w.cfg.Failures, p.lastErr.Error())
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
		spec, idle := specs[record.GameID]
		if !idle { // the operation in progress waits for health itself
			w.clear(record.GameID)
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
	w.keepOnly(running)
	return ctx.Err()
}

// recordProbe records one probe, and enqueues the game if its health has changed.
func (w *Worker) recordProbe(record runtime.RuntimeRecord, err error) {
	w.mu.Lock()
	p := w.results[record.GameID]
	if p == nil || !p.isForRun(record) {
		p = &probeResult{containerID: record.CurrentContainerID, startedAt: startTime(record)}
		w.results[record.GameID] = p
	}
	wasUnhealthy := p.failures >= w.cfg.Failures
	if !wasUnhealthy {
		// The error of an unhealthy game does not change: errors contain ports that differ
		// in each attempt, and a finding with another text would be a new finding.
		p.lastErr = err
	}
	if err == nil {
		p.failures = 0
	} else {
		p.failures++
	}
	isUnhealthy := p.failures >= w.cfg.Failures
	w.mu.Unlock()
	if wasUnhealthy != isUnhealthy {
		w.deps.Queue.Enqueue(record.GameID)
	}
}

// clear removes the result of the game.
func (w *Worker) clear(gameID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.results, gameID)
}

// keepOnly removes the results of all games that are not running.
func (w *Worker) keepOnly(running []runtime.VersionedRecord) {
	isRunning := make(map[string]bool, len(running))
	for _, found := range running {
		isRunning[found.Record.GameID] = true
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for gameID := range w.results {
		if !isRunning[gameID] {
			delete(w.results, gameID)
		}
	}
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

// cachedSpec is the spec of a game while its record has the revision. An operation that
// changes the spec changes the record first. Another writer may change the record during
// an operation, so that the spec expires after maxSpecAge passes.
type cachedSpec struct {
	revision int64
	spec     operation.Spec
	age      int // in passes
}

const maxSpecAge = 12

// loadSpecs returns the specs of the games, except those with an operation in progress. A
// game without an intent, such as one that was adopted long ago, has the zero Spec. So
// has a game with a corrupt intent, which must not prevent the probes of the others.
func (w *Worker) loadSpecs(ctx context.Context, running []runtime.VersionedRecord) (map[string]operation.Spec, error) {
	specs := make(map[string]operation.Spec, len(running))
	cached := make(map[string]cachedSpec, len(running))
	var changed []runtime.VersionedRecord
	var gameIDs []string
	for _, found := range running {
		gameID := found.Record.GameID
		if c, ok := w.specs[gameID]; ok && c.revision == found.Revision && c.age < maxSpecAge {
			c.age++
			specs[gameID], cached[gameID] = c.spec, c
			continue
		}
		changed, gameIDs = append(changed, found), append(gameIDs, gameID)
	}
	intents, err := w.deps.Intents.GetIntents(ctx, gameIDs)
	if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
		return nil, fmt.Errorf("read the intents of the running games: %w", err)
	}
	for i, found := range changed {
		if intent := intents[i].Intent; intent.Current == nil {
			specs[gameIDs[i]] = intent.Spec
			cached[gameIDs[i]] = cachedSpec{revision: found.Revision, spec: intent.Spec}
		}
	}
	w.specs = cached
	return specs, nil
}

// Package reconcile keeps the records of one node true to its engine. What
// changes, in the store or in the engine, puts a game into a queue; so does a pass
// over everything from time to time, which heals what no event told. What is to be
// done about a game is decided when its turn comes, by what is seen then.
package reconcile

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"math/rand/v2"
	"sync"
	"time"

	"k8s.io/client-go/util/workqueue"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Remediator acts on findings.
type Remediator interface {
	// Remediate does what the finding proposes, if nothing has changed since. The actor
	// is who asked for it, empty where nobody did.
	Remediate(ctx context.Context, finding drift.Finding, actor string) error
	// HasActive reports whether an operation on the game is in progress here.
	HasActive(gameID string) bool
}

// Records is what a Worker needs of the record store.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeWatcher
}

// Dependencies are what a Worker works with. All but Unhealthy are required.
type Dependencies struct {
	Records    Records
	Intents    ports.IntentStore
	Engine     ports.ContainerReader
	Remediator Remediator
	// Unhealthy says how a running game fails its health checks, as this record has
	// it run, and nothing while it does not; nil is a node whose games are all well.
	Unhealthy func(record runtime.RuntimeRecord) string
}

// Config tunes a Worker. Region and Node are required; zero means the default
// named beside it.
type Config struct {
	Region, Node string
	// Interval is the time between two passes, give or take a fifth. Default 10 s.
	Interval time.Duration
	// Reconcilers is how many games are looked at at the same time. Default 8.
	Reconcilers int
	// Starters is how many games are started again at the same time, Removers how
	// many containers are removed. Default 4 each.
	Starters, Removers int
	// StartWait is how long a starter waits for one game before it goes on with the next; the
	// start goes on beside the others, of which there are at most Overdue. Default 5 s, 16.
	StartWait           time.Duration
	MaxBackgroundStarts int
	// AdoptAfter is how long, and in how many looks, a container without a record has to look
	// the same before it is adopted. Default 3 looks, 5 s.
	AdoptAfter        time.Duration
	AdoptObservations int
	// BrakeShare is the share of the games that run here, above which one pass must
	// not take records or containers away. Default 0.5.
	BrakeShare float64
	// Clock is the node's; default time.Now.
	Clock func() time.Time
	// Logger hears of what is done; nil is silence.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.Interval == 0 {
		c.Interval = 10 * time.Second
	}
	if c.Reconcilers == 0 {
		c.Reconcilers = 8
	}
	if c.Starters == 0 {
		c.Starters = 4
	}
	if c.Removers == 0 {
		c.Removers = 4
	}
	if c.StartWait == 0 {
		c.StartWait = 5 * time.Second
	}
	if c.MaxBackgroundStarts == 0 {
		c.MaxBackgroundStarts = 16
	}
	if c.AdoptAfter == 0 {
		c.AdoptAfter = 5 * time.Second
	}
	if c.AdoptObservations == 0 {
		c.AdoptObservations = 3
	}
	if c.BrakeShare == 0 {
		c.BrakeShare = 0.5
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Worker is the reconcile worker of one node. It is safe for concurrent use.
type Worker struct {
	Dependencies
	cfg   Config
	log   *slog.Logger
	queue lane
	// starts and removals hold what takes long: neither keeps the other waiting, nor
	// the looks at other games.
	starts, removals lane
	book             *drift.Tracker
	brake            *brake
	passes           chan struct{} // asks for a pass

	mu      sync.Mutex
	removed map[string]time.Time // guarded by mu; containers that the engine told of lately
	overdue map[string]bool      // guarded by mu; games whose start has outlived its turn
}

// New returns a worker, which does nothing before Run or Pass is called. Run it, or
// Close it.
func New(parts Dependencies, cfg Config) (*Worker, error) {
	if parts.Records == nil || parts.Intents == nil || parts.Engine == nil || parts.Remediator == nil {
		return nil, errors.New("reconcile: records, intents, engine and settler are required")
	}
	if cfg.Region == "" || cfg.Node == "" {
		return nil, errors.New("reconcile: region and node are required")
	}
	cfg = cfg.withDefaults()
	if parts.Unhealthy == nil {
		parts.Unhealthy = func(runtime.RuntimeRecord) string { return "" }
	}
	return &Worker{
		Dependencies: parts, cfg: cfg, log: cfg.Logger, book: drift.NewTracker(),
		queue: newQueue(), starts: newQueue(), removals: newQueue(),
		brake: newBrake(cfg), passes: make(chan struct{}, 1), removed: map[string]time.Time{}, overdue: map[string]bool{},
	}, nil
}

// lane is a queue of games.
type lane = workqueue.TypedRateLimitingInterface[string]

// newQueue is a queue that holds each game once, hands it to one worker at a time,
// and lets one that failed wait longer each time.
func newQueue() lane {
	const first, last = 50 * time.Millisecond, 30 * time.Second
	return workqueue.NewTypedRateLimitingQueue(jitter{workqueue.NewTypedItemExponentialFailureRateLimiter[string](first, last)})
}

// jitter spreads what failed together.
type jitter struct {
	workqueue.TypedRateLimiter[string]
}

func (j jitter) When(gameID string) time.Duration {
	d := j.TypedRateLimiter.When(gameID)
	return d + time.Duration(rand.Int64N(int64(d)/4+1))
}

// Enqueue asks for a look at the game.
func (w *Worker) Enqueue(gameID string) {
	if gameID != "" {
		w.queue.Add(gameID)
	}
}

// removedFor is for how long what the engine tells of a removal is remembered: longer
// than anything takes to be looked at.
const removedFor = time.Hour

// EnqueueRemoved asks for a look at the game, one of whose containers the engine has
// told to be removed.
func (w *Worker) EnqueueRemoved(gameID, containerID string) {
	now := w.cfg.Clock()
	w.mu.Lock()
	maps.DeleteFunc(w.removed, func(_ string, at time.Time) bool { return now.Sub(at) > removedFor })
	w.removed[containerID] = now
	w.mu.Unlock()
	w.Enqueue(gameID)
}

// wasRemoved reports whether the engine has told that the container was removed.
func (w *Worker) wasRemoved(containerID string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	_, told := w.removed[containerID]
	return told
}

// TriggerFullReconcile asks for a pass.
func (w *Worker) TriggerFullReconcile() {
	select {
	case w.passes <- struct{}{}:
	default: // one is asked for already
	}
}

// Run works until ctx ends and then returns nil, once everything it started has
// ended. A Worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	var working sync.WaitGroup
	for range w.cfg.Reconcilers {
		working.Go(func() { w.work(ctx, w.queue, w.look) })
	}
	for range w.cfg.Starters {
		working.Go(func() { w.work(ctx, w.starts, w.dealSlowly(w.starts)) })
	}
	for range w.cfg.Removers {
		working.Go(func() { w.work(ctx, w.removals, w.dealSlowly(w.removals)) })
	}
	working.Go(func() { w.watchRecords(ctx) })
	w.passForever(ctx)
	w.Close()
	working.Wait()
	return nil
}

// Close puts the queues away. Run does so when it ends; Close is for a worker that
// never ran. It may be called more than once.
func (w *Worker) Close() {
	w.queue.ShutDown()
	w.starts.ShutDown()
	w.removals.ShutDown()
}

// passForever makes a pass at once, on demand, and every so often.
func (w *Worker) passForever(ctx context.Context) {
	for {
		if _, err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("pass over all games failed", "error", err)
		}
		spread := w.cfg.Interval / 5
		timer := time.NewTimer(w.cfg.Interval - spread + rand.N(2*spread+1))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.passes:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// work takes games from the queue until it is shut down. One that could not be
// dealt with comes again, later each time.
func (w *Worker) work(ctx context.Context, queue lane, deal func(ctx context.Context, gameID string) (time.Duration, error)) {
	for {
		gameID, over := queue.Get()
		if over {
			return
		}
		again, err := deal(ctx, gameID)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.log.Debug("game could not be dealt with; trying again", "game_id", gameID, "error", err)
			queue.AddRateLimited(gameID)
		case again > 0:
			queue.Forget(gameID)
			queue.AddAfter(gameID, again)
		default:
			queue.Forget(gameID)
		}
		queue.Done(gameID)
	}
}

// watchRecords queues every game of this node whose record changes.
func (w *Worker) watchRecords(ctx context.Context) {
	for ctx.Err() == nil {
		options := ports.WatchOptions{Region: w.cfg.Region, Node: w.cfg.Node, Resync: true}
		for event, err := range w.Records.Watch(ctx, options) {
			if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
				if ctx.Err() == nil {
					w.log.Warn("watch of the records broke off; opening it again", "error", err)
				}
				break
			}
			if event.Type != ports.EventSnapshot { // the first pass looks at all of those
				w.Enqueue(event.GameID)
			}
		}
		w.TriggerFullReconcile()
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

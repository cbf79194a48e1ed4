package reconcile

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/wait"
)

// Remediator carries out the actions of findings; the lifecycle service implements it.
type Remediator interface {
	// Remediate carries out the action of the finding, if nothing has changed since. The
	// actor is the user that applied the finding; empty for an automatic action.
	Remediate(ctx context.Context, finding drift.Finding, actor string) error
	// ActiveOperation returns the accepted operation in progress on the game in this daemon,
	// and false if there is none.
	ActiveOperation(gameID string) (runtime.OperationInProgress, bool)
	// SetCondition writes the condition of the record if the stored one has the revision of
	// seen and the intent has the revision, and returns the written record. intentRevision 0 is
	// that of any intent. It is fenced by the session of this daemon.
	SetCondition(ctx context.Context, seen runtime.VersionedRecord, intentRevision int64, condition runtime.Condition) (runtime.VersionedRecord, error)
	// HasActive reports whether an operation on the game is in progress in this daemon.
	HasActive(gameID string) bool
}

// HealthView reads the results of the health worker.
type HealthView interface {
	// Unhealthy describes how the game, in the run that the record describes, fails its
	// health checks; empty if it does not.
	Unhealthy(record runtime.RuntimeRecord) string
	// Health returns the result of the health checks of the game in the run that the record
	// describes; empty if there is none yet.
	Health(record runtime.RuntimeRecord) runtime.Health
	// Recheck checks the health of the game once more, now.
	Recheck(ctx context.Context, record runtime.RuntimeRecord, spec operation.Spec)
}

// Records is the part of the record store that a Worker uses.
type Records interface {
	ports.RuntimeReader
	ports.RuntimeWatcher
	ports.RuntimeLedger
}

// Dependencies are the parts that a Worker uses. All are required, except Health, Operations and
// PauseReason.
type Dependencies struct {
	Records    Records
	Intents    ports.IntentStore
	Engine     ports.ContainerReader
	Remediator Remediator
	Queue      *Queue     // Run shuts it down
	Health     HealthView // nil means that all games are healthy
	// Operations reports operations that are assigned to this node; nil leaves them to the
	// passes.
	Operations OperationWatcher
	// PauseReason returns why the games of this node are paused, empty if they are not; nil
	// means never. While they are, the worker restarts and removes nothing.
	PauseReason func() string
}

// OperationWatcher reports the games that get an operation of a node.
type OperationWatcher interface {
	// WatchOperations calls report with each game that has an operation of the node in
	// progress, and with each that gets one, until the watch breaks or ctx ends.
	WatchOperations(ctx context.Context, region, node string, report func(gameID string)) error
}

// Config configures a Worker. Region and Node are required; zero means the default that
// the comment names.
type Config struct {
	Region, Node string
	// Interval is the time between two passes, plus or minus a fifth. Default 10 s.
	Interval time.Duration
	// Reconcilers is the number of games that are observed concurrently. Default 8.
	Reconcilers int
	// Starters is the number of start workers, Removers that of removal workers. Default 4
	// each.
	Starters, Removers int
	// StartWait is how long a start worker waits for one game before it takes the next.
	// The start continues in the background, at most MaxBackgroundStarts at a time. The same
	// number of workers completes moves that were handed over. Default 5 s and 16.
	StartWait           time.Duration
	MaxBackgroundStarts int
	// AdoptAfter is how long, and AdoptObservations how often, a container without a
	// record must be observed unchanged before it is adopted. Default 5 s and 3.
	AdoptAfter        time.Duration
	AdoptObservations int
	// AdoptMaxAge is how long ago an orphan may have been started at most to be adopted
	// automatically. An older one may be left of a game that was deleted since, so an
	// operator decides. 0 means any time.
	AdoptMaxAge time.Duration
	// BrakeShare is the share of the node's running games that one pass may remove at most
	// without engaging the brake. Default 0.5.
	BrakeShare float64
	// RestoreDisabled leaves games stopped that ended with their engine or machine. By
	// default the worker starts them.
	RestoreDisabled bool
	// Clock is the clock of the node. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per action; nil discards them.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	c.Interval = cmp.Or(c.Interval, 10*time.Second)
	c.Reconcilers = cmp.Or(c.Reconcilers, 8)
	c.Starters = cmp.Or(c.Starters, 4)
	c.Removers = cmp.Or(c.Removers, 4)
	c.StartWait = cmp.Or(c.StartWait, 5*time.Second)
	c.MaxBackgroundStarts = cmp.Or(c.MaxBackgroundStarts, 16)
	c.AdoptAfter = cmp.Or(c.AdoptAfter, 5*time.Second)
	c.AdoptObservations = cmp.Or(c.AdoptObservations, 3)
	c.BrakeShare = cmp.Or(c.BrakeShare, 0.5)
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
	deps    Dependencies
	cfg     Config
	log     *slog.Logger
	queue   workQueue // games to observe; the queue of deps.Queue
	tracker *drift.Tracker
	brake   *brake
	absence engineAbsence

	// starts, handovers and removals are the queues of slow actions.
	starts, handovers, removals workQueue

	mu               sync.Mutex
	backgroundStarts map[string]bool // games whose start has exceeded StartWait; guarded by mu
	// absentAsDesired holds, by game, the revision of a removed record that is not desired to
	// run. Guarded by mu.
	absentAsDesired map[string]int64
	writers         map[string]recordWriter // by game; guarded by mu
}

// New returns a worker, which does nothing before Run or Pass. It fails if a dependency
// or a required setting is missing. The caller must call Run or Close.
func New(deps Dependencies, cfg Config) (*Worker, error) {
	if deps.Records == nil || deps.Intents == nil || deps.Engine == nil || deps.Remediator == nil || deps.Queue == nil {
		return nil, errors.New("reconcile: records, intents, engine, remediator and queue are required")
	}
	if cfg.Region == "" || cfg.Node == "" {
		return nil, errors.New("reconcile: region and node are required")
	}
	cfg = cfg.withDefaults()
	return &Worker{
		deps: deps, cfg: cfg, log: cfg.Logger, queue: deps.Queue.games, tracker: drift.NewTracker(), brake: newBrake(cfg),
		starts: newWorkQueue(), handovers: newWorkQueue(), removals: newWorkQueue(), backgroundStarts: map[string]bool{},
		absentAsDesired: map[string]int64{}, writers: map[string]recordWriter{},
	}, nil
}

// Run reconciles until ctx ends, and returns nil once everything that it started has
// ended. A Worker runs once.
func (w *Worker) Run(ctx context.Context) error {
	var wg sync.WaitGroup
	for range w.cfg.Reconcilers {
		wg.Go(func() { w.processQueue(ctx, w.queue, w.reconcileGame) })
	}
	for range w.cfg.Starters {
		wg.Go(func() { w.processQueue(ctx, w.starts, w.newSlowHandler(w.starts)) })
	}
	for range w.cfg.MaxBackgroundStarts {
		wg.Go(func() { w.processQueue(ctx, w.handovers, w.newSlowHandler(w.handovers)) })
	}
	for range w.cfg.Removers {
		wg.Go(func() { w.processQueue(ctx, w.removals, w.newSlowHandler(w.removals)) })
	}
	wg.Go(func() { w.watchRecords(ctx) })
	if w.deps.Operations != nil {
		wg.Go(func() { w.watchOperations(ctx) })
	}
	w.periodicLoop(ctx)
	w.Close()
	wg.Wait()
	return nil
}

// Close shuts the queues down. Run does so when it ends; Close is for a worker that
// never ran. It may be called more than once.
func (w *Worker) Close() {
	w.queue.ShutDown()
	w.starts.ShutDown()
	w.handovers.ShutDown()
	w.removals.ShutDown()
}

// periodicLoop makes a pass at once, on request, and after every interval.
func (w *Worker) periodicLoop(ctx context.Context) {
	for {
		if _, err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.log.Warn("reconcile pass failed", "error", err)
		}
		timer := time.NewTimer(wait.Jittered(w.cfg.Interval))
		select {
		case <-ctx.Done():
		case <-timer.C:
		case <-w.deps.Queue.passRequests:
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

// handler handles one game and returns when to handle it next; 0 means not before
// another source enqueues it.
type handler func(ctx context.Context, gameID string) (requeueAfter time.Duration, err error)

// processQueue handles games from the queue until it is shut down. A game that fails is
// requeued with backoff.
func (w *Worker) processQueue(ctx context.Context, queue workQueue, handle handler) {
	for {
		gameID, shutdown := queue.Get()
		if shutdown {
			return
		}
		requeueAfter, err := handle(ctx, gameID)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.log.Debug("reconcile failed; requeued", "game_id", gameID, "error", err)
			queue.AddRateLimited(gameID)
		case requeueAfter > 0:
			queue.Forget(gameID)
			queue.AddAfter(gameID, requeueAfter)
		default:
			queue.Forget(gameID)
		}
		queue.Done(gameID)
	}
}

// watchRecords enqueues every game of this node whose record changes.
func (w *Worker) watchRecords(ctx context.Context) {
	for ctx.Err() == nil {
		options := ports.WatchOptions{RecordFilter: ports.FilterByNode(node.Ref{Region: w.cfg.Region, Name: w.cfg.Node}), Resync: true}
		for event, err := range w.deps.Records.Watch(ctx, options) {
			if err != nil && !errors.Is(err, runtime.ErrCorrupt) {
				if ctx.Err() == nil {
					w.log.Warn("watch of the records ended; reconnecting", "error", err)
				}
				break
			}
			if event.Type != ports.EventSnapshot { // the first pass observes all of those
				w.deps.Queue.Enqueue(event.GameID)
			}
		}
		w.deps.Queue.TriggerFullReconcile()
		_ = wait.For(ctx, time.Second)
	}
}

// watchOperations enqueues every game that gets an operation of this node: another node may have
// assigned it, and the game may be down until this node continues it.
func (w *Worker) watchOperations(ctx context.Context) {
	for ctx.Err() == nil {
		err := w.deps.Operations.WatchOperations(ctx, w.cfg.Region, w.cfg.Node, w.deps.Queue.Enqueue)
		if err != nil && ctx.Err() == nil {
			w.log.Warn("watch of the operations ended; reconnecting", "error", err)
		}
		_ = wait.For(ctx, time.Second)
	}
}

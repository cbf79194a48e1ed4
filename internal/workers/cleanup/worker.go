// Package cleanup removes what finished games leave: the containers of games that have been
// stopped for a configured time and are not desired to run, and later their records and state directories.
//
//	worker.go     Worker: containers of stopped games
//	retention.go  Retention: records of removed games; abandoned.go: those of absent nodes
//	archivebackoff.go  the delay of deletions while the archive does not accept games
//	failedstarts.go  intents of games whose first start has failed
//	states.go     state directories of deleted games
package cleanup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Dependencies are the parts that a Worker uses. All are required, except IsPaused.
type Dependencies struct {
	Records  ports.RuntimeReader
	Intents  ports.IntentStore
	Executor ports.Executor
	// IsPaused reports whether an operator has paused this node; nil means never.
	IsPaused func() bool
}

// Config configures a Worker. Region, Node and After are required.
type Config struct {
	Region, Node string
	// After is how long a game must be stopped before its container is removed. It must
	// be positive.
	After time.Duration
	// Interval is the time between two passes. Default: a tenth of After, from 1 s to 1 min.
	Interval time.Duration
	// Clock measures elapsed time; only differences of its times count. Default time.Now.
	Clock func() time.Time
	// Logger receives a line per failed pass; nil discards them.
	Logger *slog.Logger
}

// Worker is the cleanup worker of one node.
//
// It measures itself how long a game has been stopped, from its first observation of the
// stopped record at one revision. So no game is cleaned up early if the clocks of other
// nodes differ. A restarted daemon starts to measure from zero.
type Worker struct {
	deps         Dependencies
	cfg          Config
	stoppedSince map[string]observation // by game; only Pass uses it
}

// observation is when a stopped record was first observed at a revision.
type observation struct {
	revision int64
	at       time.Time
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Interval = cmp.Or(cfg.Interval, min(max(cfg.After/10, time.Second), time.Minute))
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{deps: deps, cfg: cfg, stoppedSince: map[string]observation{}}
}

// Run makes passes until ctx ends, and then returns nil.
func (w *Worker) Run(ctx context.Context) error {
	ticker := time.NewTicker(w.cfg.Interval)
	defer ticker.Stop()
	for {
		if _, err := w.Pass(ctx); err != nil && ctx.Err() == nil {
			w.cfg.Logger.Warn("cleanup pass failed", "error", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// Pass cleans up the games that have been stopped for long enough, and returns their
// number. It must not run concurrently.
func (w *Worker) Pass(ctx context.Context) (int, error) {
	if w.deps.IsPaused != nil && w.deps.IsPaused() {
		return 0, nil
	}
	stopped, err := w.listStopped(ctx)
	if err != nil {
		return 0, err
	}
	now := w.cfg.Clock()
	observed := make(map[string]observation, len(stopped))
	cleaned := 0
	var faults []error
	for _, found := range stopped {
		gameID := found.Record.GameID
		since, ok := w.stoppedSince[gameID]
		if !ok || since.revision != found.Revision {
			since = observation{revision: found.Revision, at: now}
		}
		observed[gameID] = since
		if now.Sub(since.at) < w.cfg.After {
			continue
		}
		err := w.cleanUp(ctx, found)
		switch {
		case err == nil:
			cleaned++
		case errors.Is(err, operation.ErrRejected), errors.Is(err, operation.ErrBusy), errors.Is(err, runtime.ErrNotFound):
			// The game is being changed; it is not a candidate any more.
		default:
			faults = append(faults, fmt.Errorf("clean up %q: %w", gameID, err))
		}
	}
	w.stoppedSince = observed
	return cleaned, errors.Join(faults...)
}

// cleanUp requests the cleanup of one game, if its record still has the revision that the
// list returned: earlier cleanups of the same pass may have taken long.
func (w *Worker) cleanUp(ctx context.Context, listed ports.SharedRecord) error {
	gameID := listed.Record.GameID
	current, err := w.deps.Records.GetVersioned(ctx, gameID)
	if err != nil {
		return err
	}
	if current.Revision != listed.Revision {
		return operation.ErrBusy
	}
	intent, err := w.deps.Intents.GetIntent(ctx, gameID)
	if err != nil {
		return err
	}
	if intent.Intent.DesiredStatus == runtime.StatusRunning { // a cleanup would end the finding that the game does not run
		return operation.ErrBusy
	}
	_, err = w.deps.Executor.Execute(ctx, ports.OperationRequest{
		GameID: gameID, Kind: operation.KindCleanup,
		Origin: ports.Origin{Actor: "cleanup", Reason: fmt.Sprintf("stopped for %s", w.cfg.After)},
	}, nil)
	return err
}

// listStopped returns the stopped records of this node, which the store shares.
func (w *Worker) listStopped(ctx context.Context) ([]ports.SharedRecord, error) {
	query := ports.ScanQuery{RecordFilter: ports.FilterByNode(node.Ref{Region: w.cfg.Region, Name: w.cfg.Node}, runtime.StatusStopped)}
	var stopped []ports.SharedRecord
	for found, err := range ports.ScanRecords(ctx, w.deps.Records, query) {
		if err != nil {
			return nil, fmt.Errorf("list the stopped games of this node: %w", err)
		}
		stopped = append(stopped, found)
	}
	return stopped, nil
}

// Package cleanup removes the containers of games that have been stopped for long.
package cleanup

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Config tunes a Worker. Region and Node are required.
type Config struct {
	Region, Node string
	// After is how long a game has to be stopped. It must be more than nothing.
	After time.Duration
	// Interval is the time between two passes. Default: a tenth of After, from 1 s to 1 min.
	Interval time.Duration
	// Clock measures by how much time passes; only differences of its readings count.
	// Default time.Now.
	Clock  func() time.Time
	Logger *slog.Logger
}

// Worker is the cleanup worker of one node.
//
// How long a game has been stopped it measures itself, from when it first saw the
// record stopped at that revision: whatever the clocks of others say, none is
// cleaned up early. A daemon that begins anew begins to count anew.
type Worker struct {
	records  ports.RuntimeReader
	operator ports.Executor
	cfg      Config
	since    map[string]sighting // by game; only Pass touches it
}

// sighting is since when a record has been stopped at a revision.
type sighting struct {
	revision int64
	at       time.Time
}

// New returns a worker, which does nothing before Run or Pass is called.
func New(records ports.RuntimeReader, operator ports.Executor, cfg Config) *Worker {
	if cfg.Interval == 0 {
		cfg.Interval = min(max(cfg.After/10, time.Second), time.Minute)
	}
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	return &Worker{records: records, operator: operator, cfg: cfg, since: map[string]sighting{}}
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

// Pass cleans up what has been stopped for long enough, and returns how many that
// were. It is not for concurrent use.
func (w *Worker) Pass(ctx context.Context) (int, error) {
	stopped, err := w.stopped(ctx)
	if err != nil {
		return 0, err
	}
	now := w.cfg.Clock()
	seen := make(map[string]sighting, len(stopped))
	cleaned := 0
	var faults []error
	for _, found := range stopped {
		gameID := found.Record.GameID
		s, known := w.since[gameID]
		if !known || s.revision != found.Revision {
			s = sighting{revision: found.Revision, at: now}
		}
		seen[gameID] = s
		if now.Sub(s.at) < w.cfg.After {
			continue
		}
		err := w.cleanUp(ctx, found)
		switch {
		case err == nil:
			cleaned++
		case errors.Is(err, operation.ErrRefused), errors.Is(err, operation.ErrBusy), errors.Is(err, runtime.ErrNotFound):
			// Something happens to the game: it is not for cleanup any more.
		default:
			faults = append(faults, fmt.Errorf("clean up %q: %w", gameID, err))
		}
	}
	w.since = seen
	return cleaned, errors.Join(faults...)
}

// cleanUp asks for one game's cleanup, if its record still stands where it was seen:
// the list is old by the time that its last game has its turn.
func (w *Worker) cleanUp(ctx context.Context, seen runtime.VersionedRecord) error {
	gameID := seen.Record.GameID
	now, err := w.records.GetVersioned(ctx, gameID)
	if err != nil {
		return err
	}
	if now.Revision != seen.Revision {
		return operation.ErrBusy
	}
	_, err = w.operator.Execute(ctx, ports.OperationRequest{
		GameID: gameID, Kind: operation.KindCleanup,
		Origin: ports.Origin{Actor: "cleanup", Reason: fmt.Sprintf("stopped for %s", w.cfg.After)},
	}, nil)
	return err
}

// stopped returns the stopped records of this node.
func (w *Worker) stopped(ctx context.Context) ([]runtime.VersionedRecord, error) {
	query := ports.PageQuery{Status: runtime.StatusStopped, Region: w.cfg.Region, Node: w.cfg.Node, Limit: 1000}
	var stopped []runtime.VersionedRecord
	for {
		page, err := w.records.ListPage(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("list the stopped games of this node: %w", err)
		}
		stopped = append(stopped, page.Records...)
		if page.Next == "" {
			return stopped, nil
		}
		query.Revision, query.After = page.Revision, page.Next
	}
}

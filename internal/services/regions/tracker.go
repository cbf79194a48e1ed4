// Package regions keeps the state of every region in memory, for the lists and watches of the
// API. A Tracker reads the nodes at an interval, so that no request waits for them.
package regions

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// Records lists the records in pages.
type Records interface {
	ListPage(ctx context.Context, query ports.PageQuery) (ports.Page, error)
}

// Dependencies are the parts that a Tracker uses. Both are required.
type Dependencies struct {
	Nodes   ports.NodeRegistry
	Records Records
}

// Config tunes a Tracker.
type Config struct {
	// Interval is the time between two reads of the nodes. Default 5 s.
	Interval time.Duration
	// Logger receives failed reads; nil discards them.
	Logger *slog.Logger
}

// Tracker keeps the states of the regions. It is safe for concurrent use.
type Tracker struct {
	deps   Dependencies
	cfg    Config
	latest atomic.Pointer[[]node.RegionState]
}

// New returns a tracker that knows no region before Run or Refresh.
func New(deps Dependencies, cfg Config) *Tracker {
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	cfg.Logger = cmp.Or(cfg.Logger, slog.New(slog.DiscardHandler))
	return &Tracker{deps: deps, cfg: cfg}
}

// Regions returns the states of the latest successful read, ordered by region: each region with
// a node that has ever joined. It makes no request, and the caller must not modify the result.
func (t *Tracker) Regions() []node.RegionState {
	if latest := t.latest.Load(); latest != nil {
		return *latest
	}
	return nil
}

// Run reads the nodes at each interval until ctx ends.
func (t *Tracker) Run(ctx context.Context) error {
	ticker := time.NewTicker(t.cfg.Interval)
	defer ticker.Stop()
	for {
		if err := t.Refresh(ctx); err != nil && ctx.Err() == nil {
			t.cfg.Logger.Debug("the states of the regions are not current; the next read retries", "error", err)
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// Refresh reads the nodes once. The registry returns the nodes as last known if no
// linearizable read is possible.
func (t *Tracker) Refresh(ctx context.Context) error {
	overview, err := t.deps.Nodes.Overview(ctx)
	if err != nil {
		return fmt.Errorf("list the nodes: %w", err)
	}
	games, err := t.countGames(ctx, overview)
	if err != nil {
		return err
	}
	states := overview.Regions(games)
	t.latest.Store(&states)
	return nil
}

// countGames counts the running and stopped games of each node, if a node is absent. It reads
// the store's cache of the records.
func (t *Tracker) countGames(ctx context.Context, overview node.Overview) (map[node.Ref]int, error) {
	games := map[node.Ref]int{}
	if len(overview.Absent) == 0 {
		return games, nil
	}
	for _, status := range []runtime.Status{runtime.StatusRunning, runtime.StatusStopped} {
		query := ports.ScanQuery{RecordFilter: ports.RecordFilter{Statuses: []runtime.Status{status}}, Local: true}
		for found, err := range ports.ScanRecords(ctx, t.deps.Records, query) {
			if err != nil {
				return nil, fmt.Errorf("count the games of each node: %w", err)
			}
			games[node.RefOf(*found.Record)]++
		}
	}
	return games, nil
}

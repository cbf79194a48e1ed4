package failover

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/placement"
)

// Rescheduler assigns games to other nodes; the lifecycle service implements it.
type Rescheduler interface {
	// Reschedule assigns the game of the record to a node, under the fence of the leader.
	Reschedule(ctx context.Context, seen runtime.VersionedRecord, assignment operation.Assignment, fence node.Fence) error
}

// Placement selects and reserves nodes; placement.Scheduler implements it.
type Placement interface {
	Select(ctx context.Context, request placement.Request) (placement.Selection, error)
	Release(ctx context.Context, ref node.Ref, gameID, operationID string) error
}

// Dependencies are the parts that a Worker uses. All are required.
type Dependencies struct {
	Records     ports.RuntimeReader
	Conditions  ports.ConditionWriter
	Intents     ports.IntentStore
	Nodes       ports.NodeRegistry
	Election    ports.Election
	Rescheduler Rescheduler
	Placement   Placement
}

// Config configures a Worker. Region and Node are required.
type Config struct {
	Region, Node string
	// Grace is how long a node must be absent before its games are rescheduled. Default
	// 30 s.
	Grace time.Duration
	// PlannedStopGrace is that of a node whose daemon stopped as planned: its games continue to
	// run, and the daemon usually returns. Negative means that they are not rescheduled. Default
	// 10 min.
	PlannedStopGrace time.Duration
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
	home *region // the region of this node

	mu         sync.Mutex
	caretakers map[string]*caretaker // by region; guarded by mu

	candidacies sync.WaitGroup // the goroutines of caretakers; only lead waits and adds
}

// New returns a worker, which does nothing before Run or Pass.
func New(deps Dependencies, cfg Config) *Worker {
	cfg.Grace = cmp.Or(cfg.Grace, 30*time.Second)
	cfg.PlannedStopGrace = cmp.Or(cfg.PlannedStopGrace, 10*time.Minute)
	cfg.Interval = cmp.Or(cfg.Interval, 5*time.Second)
	if cfg.Clock == nil {
		cfg.Clock = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Worker{deps: deps, cfg: cfg, home: newRegion(deps, cfg, cfg.Region), caretakers: map[string]*caretaker{}}
}

// Run campaigns for the leadership of the region, and makes passes while it leads, until
// ctx ends. Then it returns nil.
func (w *Worker) Run(ctx context.Context) error {
	if err := w.deps.Election.Lead(ctx, w.cfg.Region, w.lead); ctx.Err() == nil {
		return err
	}
	return nil
}

// lead makes passes until the leadership is lost. In that time the worker is also a candidate
// for the care of the regions without a present node.
func (w *Worker) lead(ctx context.Context, fence node.Fence) error {
	defer w.stopCaretakers()
	return w.home.lead(ctx, func(ctx context.Context) error {
		overview, err := readOverview(ctx, w.deps.Nodes)
		if err != nil {
			return err
		}
		w.updateCaretakers(ctx, overview)
		return w.home.pass(ctx, overview, fence)
	})
}

// Pass finds the lost games of the region of this node, and reschedules those that are due.
// The fence is the one of the leadership.
func (w *Worker) Pass(ctx context.Context, fence node.Fence) error {
	overview, err := readOverview(ctx, w.deps.Nodes)
	if err != nil {
		return err
	}
	return w.home.pass(ctx, overview, fence)
}

// readOverview reads the nodes. An overview that may be old is an error.
func readOverview(ctx context.Context, nodes ports.NodeRegistry) (node.Overview, error) {
	overview, err := nodes.Overview(ctx)
	switch {
	case err != nil:
		return node.Overview{}, fmt.Errorf("list the nodes: %w", err)
	case overview.IsStale:
		return node.Overview{}, fmt.Errorf("list the nodes: %w: no majority of etcd's members is reachable", runtime.ErrUnavailable)
	}
	return overview, nil
}

// Findings returns the lost games of the regions that this node leads or takes care of.
func (w *Worker) Findings() []drift.Finding {
	findings := w.home.findings()
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.caretakers {
		findings = append(findings, c.region.findings()...)
	}
	return findings
}

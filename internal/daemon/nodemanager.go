package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/explain"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/workers/cleanup"
	"galaxy/rtmanager/internal/workers/events"
	"galaxy/rtmanager/internal/workers/failover"
	"galaxy/rtmanager/internal/workers/health"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// manager is the part of a daemon that runs games: its services for the API, and
// the workers behind them.
type manager struct {
	ports.Executor
	*explain.Service
	lifecycle *lifecycle.Service
	reconcile *reconcile.Worker
	health    *health.Worker
	events    *events.Worker
	nodes     *failover.Worker
	cleanup   *cleanup.Worker // nil where nothing is cleaned up
	member    *etcdmembers.Membership
}

// newManager makes the node's services and joins the nodes.
func newManager(ctx context.Context, cfg config.Config, store *etcdstore.Store, registry *etcdmembers.Registry, engine ports.Engine, self node.Node, registerer prometheus.Registerer, logger *slog.Logger) (*manager, error) {
	member, err := join(ctx, cfg, registry, self)
	if err != nil {
		return nil, err
	}
	m := &manager{member: member}
	prober := healthprobe.New(0)
	m.lifecycle, err = lifecycle.New(ctx, lifecycle.Dependencies{
		Records: store, Intents: store, Engine: engine, Session: member, Nodes: registry, Prober: prober,
	}, lifecycle.Config{Store: store.ID(), Region: self.Region, Node: self.Name, Logger: logger.With("component", "lifecycle")})
	if err != nil {
		return nil, errors.Join(err, member.Close())
	}
	m.Executor = newMeasured(m.lifecycle, registerer)
	m.health = health.New(store, store, prober, health.Config{
		Region: self.Region, Node: self.Name, Interval: cfg.HealthEvery, Logger: logger.With("component", "health"),
		Notice: func(gameID string) { m.reconcile.Enqueue(gameID) },
	})
	m.reconcile, err = reconcile.New(reconcile.Dependencies{
		Records: store, Intents: store, Engine: engine, Remediator: m.lifecycle, Unhealthy: m.health.Unhealthy,
	}, reconcile.Config{
		Region: self.Region, Node: self.Name, Interval: cfg.ReconcileEvery, BrakeShare: cfg.BrakeShare,
		Logger: logger.With("component", "reconcile"),
	})
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	registerer.MustRegister(newDriftMetrics(m.reconcile))
	m.events = events.New(engine, m.reconcile, logger.With("component", "events"))
	m.nodes = failover.New(failover.Dependencies{
		Records: store, Intents: store, Nodes: registry, Election: member, Rescheduler: m.lifecycle,
	}, failover.Config{Region: self.Region, Node: self.Name, Grace: cfg.NodeLostGrace, Logger: logger.With("component", "nodes")})
	if cfg.CleanupAfter > 0 {
		m.cleanup = cleanup.New(store, m.lifecycle, cleanup.Config{
			Region: self.Region, Node: self.Name, After: cfg.CleanupAfter, Logger: logger.With("component", "cleanup"),
		})
	}
	m.Service = &explain.Service{Records: store, Intents: store, Engine: engine, Findings: m.reconcile.Findings}
	return m, nil
}

// join makes the node present. Who has asked for an engine is refused a name that
// is taken; otherwise, and where the store takes no writes, the daemon serves what it
// can and joins as soon as it may. Until it has, it acts on nothing.
func join(ctx context.Context, cfg config.Config, registry *etcdmembers.Registry, self node.Node) (*etcdmembers.Membership, error) {
	if cfg.Engine == config.EngineAuto {
		return registry.JoinAsync(ctx, self), nil
	}
	member, err := registry.Join(ctx, self)
	if errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, runtime.ErrReadOnly) {
		return registry.JoinAsync(ctx, self), nil
	}
	if err != nil {
		return nil, fmt.Errorf("join the nodes as %s/%s: %w", self.Region, self.Name, err)
	}
	return member, nil
}

// run runs the workers until ctx ends, or one of them fails.
func (m *manager) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	work := []func(context.Context) error{m.reconcile.Run, m.events.Run, m.health.Run, m.nodes.Run}
	if m.cleanup != nil {
		work = append(work, m.cleanup.Run)
	}
	for _, run := range work {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// close ends operations where they stand, and leaves the nodes.
func (m *manager) close() error {
	return errors.Join(m.lifecycle.Close(), m.member.Close())
}

// Drift returns what this node finds now; the leader of a region adds the games
// whose node is gone.
func (m *manager) Drift(ctx context.Context) (drift.Report, error) {
	report, err := m.reconcile.Report(ctx)
	report.Findings = append(report.Findings, m.nodes.Findings()...)
	return report, err
}

// ApplyDrift acts on findings of this node.
func (m *manager) ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	return m.reconcile.Apply(ctx, findings, actor), nil
}

// ReleaseBrake lets go on what this node's brake held back.
func (m *manager) ReleaseBrake(context.Context) error { return m.reconcile.ReleaseBrake() }

// selfOf describes this node to the others.
func selfOf(cfg config.Config, version, api, identity string, engine ports.Engine) node.Node {
	now := time.Now().UTC()
	self := node.Node{
		Region: cfg.Region, Name: cfg.Node, API: api, Version: version, Instance: uuid.NewString(), Identity: identity,
		StartedAt: now, Now: now,
	}
	if engine != nil {
		self.Engine = engine.Kind()
	}
	return self
}

package daemon

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/daemon/internal/gamemetrics"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/cluster"
	"galaxy/rtmanager/internal/services/explain"
	"galaxy/rtmanager/internal/services/inspect"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/services/secrets"
	"galaxy/rtmanager/internal/workers/cleanup"
	"galaxy/rtmanager/internal/workers/drain"
	"galaxy/rtmanager/internal/workers/events"
	"galaxy/rtmanager/internal/workers/failover"
	"galaxy/rtmanager/internal/workers/health"
	"galaxy/rtmanager/internal/workers/reconcile"
)

var _ cluster.LocalNode = (*nodeManager)(nil)

// nodeManager manages the games of this node: the services that the API calls, and the
// workers.
type nodeManager struct {
	ports.Executor
	*explain.Service
	inspect   *inspect.Service
	commands  ports.CommandRunner // nil if the engine runs no commands
	lifecycle *lifecycle.Service
	reconcile *reconcile.Worker
	failover  *failover.Worker
	workers   []func(context.Context) error // the Run methods of all workers
	member    *etcdmembers.Membership
	// reservations ends reservations of this node.
	reservations *placement.Releaser
}

// newNodeManager joins the cluster as the node self, and creates services and workers.
func newNodeManager(ctx context.Context, deps hostDependencies, engine ports.Engine, self node.Node) (*nodeManager, error) {
	member, err := join(ctx, deps.cfg, deps.members, self)
	if err != nil {
		return nil, err
	}
	m := &nodeManager{member: member}
	m.commands, _ = engine.(ports.CommandRunner)
	if err := m.newServices(ctx, deps, secrets.RedactLogs(engine, deps.secrets)); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// newServices creates services and workers. The queue of the reconcile worker is created
// first. The workers health and events enqueue games in it, and the reconcile worker reads
// the results of the health worker.
func (m *nodeManager) newServices(ctx context.Context, deps hostDependencies, engine ports.Engine) (err error) {
	cfg, store := deps.cfg, deps.store
	region, name := cfg.Region, cfg.Node
	logger := func(component string) *slog.Logger { return deps.logger.With("component", component) }
	prober := gamemetrics.NewProber(healthprobe.New(0).WithCommands(m.commands), deps.metrics)
	hasContainerAddresses := engine.Kind() == container.EngineKindDocker && cfg.DockerEndpoint == config.EndpointContainer
	queue := reconcile.NewQueue(nil)

	m.reservations = placement.NewReleaser(ctx, deps.reservations, node.Ref{Region: region, Name: name}, logger("placement"))
	scheduler := placement.NewScheduler(placement.Dependencies{Records: store, Operations: store, Reservations: deps.reservations})
	m.lifecycle, err = lifecycle.New(ctx, lifecycle.Dependencies{
		Records: store, Intents: store, Engine: engine, Session: m.member, Nodes: deps.members, Prober: prober, Secrets: deps.secrets, Reservations: m.reservations, Queue: queue,
		Placer: &placement.Placer{Scheduler: scheduler, Nodes: deps.members, Offers: deps.peers, Log: logger("placement")},
	}, lifecycle.Config{Store: store.ID(), Region: region, Node: name, NodeLostGrace: cfg.NodeLostGrace, HasContainerAddresses: hasContainerAddresses, Logger: logger("lifecycle")})
	if err != nil {
		return err
	}
	m.Executor = newInstrumentedExecutor(m.lifecycle, deps.metrics)
	healthWorker := health.New(
		health.Dependencies{Records: store, Intents: store, Prober: prober, Queue: queue},
		health.Config{Region: region, Node: name, Interval: cfg.HealthEvery, HasContainerAddresses: hasContainerAddresses, Logger: logger("health")},
	)
	pauseReason := func() string { return deps.maintenance.PauseOf(node.Ref{Region: region, Name: name}) }
	m.reconcile, err = reconcile.New(reconcile.Dependencies{
		Records: store, Intents: store, Engine: engine, Remediator: gamemetrics.NewRemediator(m.lifecycle, deps.metrics), Queue: queue, Health: healthWorker, Operations: store,
		PauseReason: pauseReason,
	}, reconcile.Config{Region: region, Node: name, Interval: cfg.ReconcileEvery, BrakeShare: cfg.BrakeShare, RestoreDisabled: !cfg.RestoreGames, AdoptMaxAge: cfg.RemovedRetention, Logger: logger("reconcile")})
	if err != nil {
		return err
	}
	deps.metrics.MustRegister(newDriftMetrics(m.reconcile), gamemetrics.NewOperations(m.lifecycle.OperationsInProgress))
	eventWorker := events.New(events.Dependencies{Engine: engine, Queue: queue, Health: healthWorker}, events.Config{Logger: logger("events")})
	m.failover = failover.New(failover.Dependencies{
		Records: store, Conditions: store, Intents: store, Nodes: deps.members, Election: gamemetrics.NewElection(m.member, region, deps.metrics), Rescheduler: m.lifecycle,
		Placement: scheduler,
	}, failover.Config{Region: region, Node: name, Grace: cfg.NodeLostGrace, PlannedStopGrace: plannedStopGrace(cfg), Logger: logger("failover")})
	m.workers = []func(context.Context) error{m.reconcile.Run, eventWorker.Run, healthWorker.Run, m.failover.Run}
	if cfg.CleanupAfter > 0 {
		cleanupWorker := cleanup.New(
			cleanup.Dependencies{Records: store, Intents: store, Executor: m.lifecycle, IsPaused: func() bool { return pauseReason() != "" }},
			cleanup.Config{Region: region, Node: name, After: cfg.CleanupAfter, Logger: logger("cleanup")},
		)
		m.workers = append(m.workers, cleanupWorker.Run)
	}
	retention := cleanup.NewRetention(
		cleanup.RetentionDependencies{
			Store: deps.games, Engine: engine, Nodes: deps.members, States: deps.states,
			IsBraked: func() bool { return m.reconcile.Brake() != nil || pauseReason() != "" },
		},
		cleanup.RetentionConfig{Region: region, Node: name, Retention: cfg.RemovedRetention, Logger: logger("retention")},
	)
	drainWorker := drain.New(drain.Dependencies{
		View: deps.maintenance, Settings: deps.members, Records: store, Intents: store, Nodes: deps.members, Executor: m.Executor, Placement: scheduler,
		PendingRestarts: m.reconcile.PendingRestarts,
	}, drain.Config{Region: region, Node: name, Logger: logger("drain")})
	m.workers = append(m.workers, retention.Run, drainWorker.Run)
	m.inspect = inspect.New(inspect.Dependencies{Records: store, Engine: engine, Commands: m.commands})
	m.Service = explain.New(explain.Dependencies{Records: store, Intents: store, Engine: engine, Findings: m.reconcile.Findings})
	return nil
}

// plannedStopGrace returns the setting in the form of the worker: negative means forever.
func plannedStopGrace(cfg config.Config) time.Duration {
	if cfg.PlannedStopGrace == 0 {
		return -1
	}
	return cfg.PlannedStopGrace
}

// join joins the cluster as a node. A node name that is in use is an error, unless the
// engine setting is auto. With engine auto, and while the store accepts no writes, the
// daemon joins in the background. Until then it serves requests and runs no operation.
func join(ctx context.Context, cfg config.Config, members *etcdmembers.Registry, self node.Node) (*etcdmembers.Membership, error) {
	if cfg.Engine == config.EngineAuto {
		return members.JoinAsync(ctx, self), nil
	}
	member, err := members.Join(ctx, self)
	if errors.Is(err, runtime.ErrUnavailable) || errors.Is(err, runtime.ErrReadOnly) {
		return members.JoinAsync(ctx, self), nil
	}
	if err != nil {
		return nil, fmt.Errorf("join as node %s (--node, --region): %w", self.Ref(), err)
	}
	return member, nil
}

// run runs the workers until ctx ends or one of them fails.
func (m *nodeManager) run(ctx context.Context) error {
	group, ctx := errgroup.WithContext(ctx)
	for _, run := range m.workers {
		group.Go(func() error { return run(ctx) })
	}
	return group.Wait()
}

// close interrupts the operations in progress and leaves the cluster. It also closes
// workers that never ran.
func (m *nodeManager) close() error {
	var faults []error
	if m.reconcile != nil {
		m.reconcile.Close()
	}
	if m.lifecycle != nil {
		faults = append(faults, m.lifecycle.Close())
	}
	if m.reservations != nil {
		m.reservations.Close()
	}
	return errors.Join(append(faults, m.member.Close())...)
}

// Drift implements cluster.LocalNode. The leader of a region adds the games of lost
// nodes.
func (m *nodeManager) Drift(ctx context.Context) (drift.Report, error) {
	report, err := m.reconcile.Report(ctx)
	report.Findings = append(report.Findings, m.failover.Findings()...)
	return report, err
}

// ApplyDrift implements cluster.LocalNode.
func (m *nodeManager) ApplyDrift(ctx context.Context, findings []drift.Finding, actor string) ([]drift.ApplyResult, error) {
	return m.reconcile.Apply(ctx, findings, actor), nil
}

// ReleaseBrake implements cluster.LocalNode.
func (m *nodeManager) ReleaseBrake(context.Context) error { return m.reconcile.ReleaseBrake() }

// Offer implements cluster.LocalNode.
func (m *nodeManager) Offer(ctx context.Context, gameID string, spec operation.Spec) (node.Offer, error) {
	return m.lifecycle.Offer(ctx, gameID, spec)
}

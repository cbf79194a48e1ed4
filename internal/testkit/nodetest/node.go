package nodetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/services/placement"
	"galaxy/rtmanager/internal/testkit/enginetest"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/workers/events"
	"galaxy/rtmanager/internal/workers/failover"
	"galaxy/rtmanager/internal/workers/health"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// Timeout bounds every wait of a test. It is far longer than any wait takes.
const Timeout = 90 * time.Second

// Config configures a node. The zero value is node eu/n1 on a store of its own.
type Config struct {
	Client       *clientv3.Client // default: a new client of the shared etcd, which supports Partition
	Prefix       string           // default: a new one
	Region, Name string           // default: eu, n1
	Identity     string           // default: a new one
	LeaseTTL     time.Duration
	// WrapEngine, if not nil, returns a decorator of the engine.
	WrapEngine func(ports.Engine) ports.Engine
	// NewEngine, if not nil, returns the engine in place of a process engine.
	NewEngine func(store string) ports.Engine
	// Reconcile configures the reconcile worker. New sets Region, Node and Clock.
	Reconcile reconcile.Config
	// MinUptime is how long a game without a health check must run to count as started; 0
	// is the default of the service.
	MinUptime time.Duration
	Clock     func() time.Time
	// NodeLostGrace is the grace of the failover worker. Run does not start that worker if
	// it is 0.
	NodeLostGrace time.Duration
	// PlannedStopGrace is that of nodes whose daemon stopped as planned; 0 is the default of the
	// worker.
	PlannedStopGrace time.Duration
	// WrapElection, if not nil, returns a decorator of the failover worker's election.
	WrapElection func(ports.Election) ports.Election
	// Secrets resolves the secrets of games; nil rejects games with secrets.
	Secrets ports.SecretResolver
	// Capacity limits what the games of the node use together.
	Capacity node.Capacity
	// Prober checks the health of games; nil is the product's.
	Prober ports.HealthProber
	// API is the URL that the node publishes to other nodes.
	API string
}

// Node is one node with all its parts.
type Node struct {
	t         *testing.T
	Config    Config
	Store     *etcdstore.Store
	Engine    ports.Engine // as the node sees it
	Member    *etcdmembers.Membership
	Registry  *etcdmembers.Registry
	Service   *lifecycle.Service
	Placement *placement.Scheduler
	// Reservations is the store of those that Placement makes.
	Reservations *etcdreservations.Store
	Health       *health.Worker
	Queue        *reconcile.Queue // of Reconcile
	Reconcile    *reconcile.Worker
	Failover     *failover.Worker
	events       *events.Worker
	link         *faultLink
	stopWorkers  func() // does nothing if the workers do not run
}

// New returns a node whose workers do nothing before Run. It removes everything that the
// node created when the test ends.
func New(t *testing.T, cfg Config) *Node {
	t.Helper()
	n := &Node{t: t, stopWorkers: func() {}}
	if cfg.Client == nil {
		cfg.Client = etcdtest.InProcess(t)
		n.link = injectFaults(cfg.Client)
	}
	if cfg.Prefix == "" {
		cfg.Prefix = etcdtest.Prefix(t)
	}
	if cfg.Region == "" {
		cfg.Region, cfg.Name = "eu", "n1"
	}
	if cfg.Identity == "" {
		cfg.Identity = uuid.NewString()
	}
	n.Config = cfg
	var err error
	n.Store, err = etcdstore.Open(t.Context(), cfg.Client, etcdstore.Options{Prefix: cfg.Prefix})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Store.Close()) })
	n.openEngine()
	n.Registry = etcdmembers.New(cfg.Client, etcdmembers.Options{Prefix: cfg.Prefix, LeaseTTL: cfg.LeaseTTL})
	n.Member, err = n.Registry.Join(t.Context(), node.Node{
		Region: cfg.Region, Name: cfg.Name, Identity: cfg.Identity, API: cfg.API, Engine: n.Engine.Kind(), Capacity: cfg.Capacity,
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Member.Close()) })
	n.openServices()
	return n
}

func (n *Node) openEngine() {
	if n.Config.NewEngine != nil {
		n.Engine = n.Config.NewEngine(n.Store.ID())
	} else {
		engine, err := processengine.Open(processengine.Config{
			Dir: n.t.TempDir(), ImagesDir: ImagesDir, Store: n.Store.ID(), Region: n.Config.Region, Node: n.Config.Name, Secrets: n.Config.Secrets, GamePorts: enginetest.NewGamePorts(),
		})
		require.NoError(n.t, err)
		n.t.Cleanup(func() { require.NoError(n.t, engine.Close()) })
		n.t.Cleanup(func() { RemoveAll(n.t, engine) })
		n.Engine = engine
	}
	if n.Config.WrapEngine != nil {
		n.Engine = n.Config.WrapEngine(n.Engine)
	}
}

func (n *Node) openServices() {
	runner, _ := n.Engine.(ports.CommandRunner)
	prober := n.Config.Prober
	if prober == nil {
		prober = healthprobe.New(0).WithCommands(runner)
	}
	var err error
	queue := reconcile.NewQueue(n.Config.Clock)
	n.Reservations = etcdreservations.New(n.Config.Client, etcdreservations.Options{Prefix: n.Config.Prefix})
	releaser := placement.NewReleaser(n.t.Context(), n.Reservations, node.Ref{Region: n.Config.Region, Name: n.Config.Name}, nil)
	n.t.Cleanup(releaser.Close)
	n.Placement = placement.NewScheduler(placement.Dependencies{Records: n.Store, Operations: n.Store, Reservations: n.Reservations})
	n.Service, err = lifecycle.New(n.t.Context(), lifecycle.Dependencies{
		Records: n.Store, Intents: n.Store, Engine: n.Engine, Session: n.Member, Nodes: n.Registry, Prober: prober, Secrets: n.Config.Secrets,
		Reservations: releaser, Queue: queue, Placer: &placement.Placer{Scheduler: n.Placement, Nodes: n.Registry},
	}, lifecycle.Config{Store: n.Store.ID(), Region: n.Config.Region, Node: n.Config.Name, NodeLostGrace: n.Config.NodeLostGrace, RetryTimeout: 5 * time.Second, MinUptime: n.Config.MinUptime, Clock: n.Config.Clock})
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, n.Service.Close()) })
	n.Health = health.New(
		health.Dependencies{Records: n.Store, Intents: n.Store, Prober: prober, Queue: queue},
		health.Config{Region: n.Config.Region, Node: n.Config.Name, Interval: 100 * time.Millisecond},
	)
	cfg := n.Config.Reconcile
	cfg.Region, cfg.Node, cfg.Clock = n.Config.Region, n.Config.Name, n.Config.Clock
	n.Queue = queue
	n.Reconcile, err = reconcile.New(reconcile.Dependencies{
		Records: n.Store, Intents: n.Store, Engine: n.Engine, Remediator: n.Service, Queue: queue, Health: n.Health, Operations: n.Store,
	}, cfg)
	require.NoError(n.t, err)
	n.t.Cleanup(n.Reconcile.Close)
	n.events = events.New(events.Dependencies{Engine: n.Engine, Queue: queue, Health: n.Health}, events.Config{})
	election := ports.Election(n.Member)
	if n.Config.WrapElection != nil {
		election = n.Config.WrapElection(election)
	}
	n.Failover = failover.New(failover.Dependencies{
		Records: n.Store, Conditions: n.Store, Intents: n.Store, Nodes: n.Registry, Election: election, Rescheduler: n.Service,
		Placement: n.Placement,
	}, failover.Config{
		Region: n.Config.Region, Node: n.Config.Name, Grace: n.Config.NodeLostGrace, PlannedStopGrace: n.Config.PlannedStopGrace, Interval: 50 * time.Millisecond, Clock: n.Config.Clock,
	})
}

// Run starts the node's workers. They run until Crash or the end of the test.
func (n *Node) Run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	work := []func(context.Context) error{n.Reconcile.Run, n.events.Run, n.Health.Run}
	if n.Config.NodeLostGrace > 0 {
		work = append(work, n.Failover.Run)
	}
	var wg sync.WaitGroup
	for _, run := range work {
		wg.Go(func() { _ = run(ctx) })
	}
	n.stopWorkers = func() {
		cancel()
		wg.Wait()
	}
	n.t.Cleanup(n.stopWorkers)
}

// MustExecute runs an operation and fails the test if the operation fails.
func (n *Node) MustExecute(request ports.OperationRequest) operation.Outcome {
	n.t.Helper()
	outcome, err := n.Execute(request)
	require.NoError(n.t, err)
	return outcome
}

// Execute runs an operation for at most Timeout.
func (n *Node) Execute(request ports.OperationRequest) (operation.Outcome, error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), Timeout)
	defer cancel()
	return n.Service.Execute(ctx, request, nil)
}

// Record returns the game's record. It fails the test if there is none.
func (n *Node) Record(gameID string) runtime.RuntimeRecord {
	n.t.Helper()
	record, err := n.Store.Get(n.t.Context(), gameID)
	require.NoError(n.t, err)
	return record
}

// Containers returns the containers of the game in any state.
func (n *Node) Containers(gameID string) []container.Container {
	n.t.Helper()
	containers, err := n.Engine.List(n.t.Context(), gameID)
	require.NoError(n.t, err)
	return containers
}

// RemoveAll removes every container of the engine.
func RemoveAll(t *testing.T, engine ports.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Timeout)
	defer cancel()
	containers, err := engine.List(ctx, "")
	require.NoError(t, err)
	for _, c := range containers {
		require.NoError(t, engine.Remove(ctx, c.ID))
	}
}

// StartOp returns the request to start a game with the spec.
func StartOp(gameID string, spec operation.Spec) ports.OperationRequest {
	return ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: &spec}
}

// Op returns the request for an operation without further input.
func Op(kind operation.Kind, gameID string) ports.OperationRequest {
	return ports.OperationRequest{GameID: gameID, Kind: kind}
}

// GameSpec returns the spec of cmd/gameserver in the version, with the arguments.
func GameSpec(version string, args ...string) operation.Spec {
	return operation.Spec{
		Image: "gameserver:" + version, Args: args,
		HealthTimeout: operation.Duration(20 * time.Second), StopGrace: operation.Duration(2 * time.Second),
	}
}

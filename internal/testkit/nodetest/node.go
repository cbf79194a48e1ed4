package nodetest

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/adapters/healthprobe"
	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/lifecycle"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/workers/events"
	"galaxy/rtmanager/internal/workers/failover"
	"galaxy/rtmanager/internal/workers/health"
	"galaxy/rtmanager/internal/workers/reconcile"
)

// Patience bounds every wait of a test; none gets near it.
const Patience = 30 * time.Second

// Config says what node to make; the zero value is eu/n1 on a store of its own.
type Config struct {
	Client       *clientv3.Client // one of its own to the shared etcd by default, which can be cut
	Prefix       string
	Region, Name string
	Identity     string // a fresh one by default
	LeaseTTL     time.Duration
	// Wrap, when not nil, puts something between the node and its engine.
	Wrap func(ports.Engine) ports.Engine
	// Engine, when not nil, is used in place of local processes.
	Engine func(store string) ports.Engine
	// Reconcile tunes the worker; Region and Node are filled in.
	Reconcile reconcile.Config
	// Settle is how long a game without health check has to run; the service's own
	// default where it is 0.
	Settle time.Duration
	Clock  func() time.Time
	// Grace is that of the worker which looks after lost nodes; Run leaves that
	// worker out where it is 0.
	Grace time.Duration
	// Election, when not nil, puts something between that worker and the election.
	Election func(ports.Election) ports.Election
	// API is what the node tells the others.
	API string
}

// Node is one node: all of its parts are real.
type Node struct {
	t         *testing.T
	Config    Config
	Store     *etcdstore.Store
	Engine    ports.Engine // as the node sees it
	Member    *etcdmembers.Membership
	Registry  *etcdmembers.Registry
	Service   *lifecycle.Service
	Health    *health.Worker
	Reconcile *reconcile.Worker
	Nodes     *failover.Worker
	events    *events.Worker
	link      *link
	halt      func() // ends the workers, if they run
}

// New makes a node, whose workers do nothing before Run. Everything it has made or
// started is gone when the test ends.
func New(t *testing.T, cfg Config) *Node {
	t.Helper()
	n := &Node{t: t, halt: func() {}}
	if cfg.Client == nil {
		cfg.Client = etcdtest.InProcess(t)
		n.link = newLink(cfg.Client)
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
		Region: cfg.Region, Name: cfg.Name, Identity: cfg.Identity, API: cfg.API, Engine: n.Engine.Kind(),
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, n.Member.Close()) })
	n.makeServices()
	return n
}

func (n *Node) openEngine() {
	if n.Config.Engine != nil {
		n.Engine = n.Config.Engine(n.Store.ID())
	} else {
		engine, err := processengine.Open(processengine.Config{
			Dir: n.t.TempDir(), ImagesDir: Images, Store: n.Store.ID(), Region: n.Config.Region, Node: n.Config.Name,
		})
		require.NoError(n.t, err)
		n.t.Cleanup(func() { require.NoError(n.t, engine.Close()) })
		n.t.Cleanup(func() { RemoveAll(n.t, engine) })
		n.Engine = engine
	}
	if n.Config.Wrap != nil {
		n.Engine = n.Config.Wrap(n.Engine)
	}
}

func (n *Node) makeServices() {
	prober := healthprobe.New(0)
	var err error
	n.Service, err = lifecycle.New(n.t.Context(), lifecycle.Dependencies{
		Records: n.Store, Intents: n.Store, Engine: n.Engine, Session: n.Member, Nodes: n.Registry, Prober: prober,
	}, lifecycle.Config{Store: n.Store.ID(), Region: n.Config.Region, Node: n.Config.Name, RetryTimeout: 5 * time.Second, MinUptime: n.Config.Settle, Clock: n.Config.Clock})
	require.NoError(n.t, err)
	n.t.Cleanup(func() { require.NoError(n.t, n.Service.Close()) })
	quiet := slog.New(slog.DiscardHandler)
	n.Health = health.New(n.Store, n.Store, prober, health.Config{
		Region: n.Config.Region, Node: n.Config.Name, Interval: 100 * time.Millisecond, Logger: quiet,
		Notice: func(gameID string) { n.Reconcile.Enqueue(gameID) },
	})
	cfg := n.Config.Reconcile
	cfg.Region, cfg.Node, cfg.Clock = n.Config.Region, n.Config.Name, n.Config.Clock
	n.Reconcile, err = reconcile.New(reconcile.Dependencies{
		Records: n.Store, Intents: n.Store, Engine: n.Engine, Remediator: n.Service, Unhealthy: n.Health.Unhealthy,
	}, cfg)
	require.NoError(n.t, err)
	n.t.Cleanup(n.Reconcile.Close)
	n.events = events.New(n.Engine, n.Reconcile, quiet)
	election := ports.Election(n.Member)
	if n.Config.Election != nil {
		election = n.Config.Election(election)
	}
	n.Nodes = failover.New(failover.Dependencies{
		Records: n.Store, Intents: n.Store, Nodes: n.Registry, Election: election, Rescheduler: n.Service,
	}, failover.Config{
		Region: n.Config.Region, Node: n.Config.Name, Grace: n.Config.Grace, Interval: 50 * time.Millisecond, Clock: n.Config.Clock, Logger: quiet,
	})
}

// Run runs the node's workers until it is killed or the test ends.
func (n *Node) Run() {
	ctx, cancel := context.WithCancel(context.WithoutCancel(n.t.Context()))
	work := []func(context.Context) error{n.Reconcile.Run, n.events.Run, n.Health.Run}
	if n.Config.Grace > 0 {
		work = append(work, n.Nodes.Run)
	}
	var working sync.WaitGroup
	for _, run := range work {
		working.Go(func() { _ = run(ctx) })
	}
	n.halt = func() {
		cancel()
		working.Wait()
	}
	n.t.Cleanup(n.halt)
}

// Do carries out an operation that has to succeed.
func (n *Node) Do(request ports.OperationRequest) operation.Outcome {
	n.t.Helper()
	outcome, err := n.Try(request)
	require.NoError(n.t, err)
	return outcome
}

// Try carries out an operation.
func (n *Node) Try(request ports.OperationRequest) (operation.Outcome, error) {
	n.t.Helper()
	ctx, cancel := context.WithTimeout(n.t.Context(), Patience)
	defer cancel()
	return n.Service.Execute(ctx, request, nil)
}

// Record returns the game's record, which has to be there.
func (n *Node) Record(gameID string) runtime.RuntimeRecord {
	n.t.Helper()
	record, err := n.Store.Get(n.t.Context(), gameID)
	require.NoError(n.t, err)
	return record
}

// Containers are those of the game, whatever they do.
func (n *Node) Containers(gameID string) []container.Container {
	n.t.Helper()
	containers, err := n.Engine.List(n.t.Context(), gameID)
	require.NoError(n.t, err)
	return containers
}

// RemoveAll removes every container of the engine.
func RemoveAll(t *testing.T, engine ports.Engine) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), Patience)
	defer cancel()
	containers, err := engine.List(ctx, "")
	require.NoError(t, err)
	for _, c := range containers {
		require.NoError(t, engine.Remove(ctx, c.ID))
	}
}

// Start asks for a game to be started as the spec says.
func Start(gameID string, spec operation.Spec) ports.OperationRequest {
	return ports.OperationRequest{GameID: gameID, Kind: operation.KindStart, Spec: &spec}
}

// The asks for an operation that needs nothing but its name.
func The(kind operation.Kind, gameID string) ports.OperationRequest {
	return ports.OperationRequest{GameID: gameID, Kind: kind}
}

// Game is what cmd/gameserver of a version is run as, with arguments.
func Game(version string, args ...string) operation.Spec {
	return operation.Spec{
		Image: "gameserver:" + version, Args: args,
		HealthTimeout: operation.Duration(5 * time.Second), StopGrace: operation.Duration(2 * time.Second),
	}
}

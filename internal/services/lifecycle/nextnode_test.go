package lifecycle_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdreservations"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

// unableMachine is an engine whose machine cannot start any container.
type unableMachine struct{ ports.Engine }

func (unableMachine) Start(context.Context, string) error {
	return container.NodeFault(fmt.Errorf("%w: port 7777/udp is in use", operation.ErrStartFailed))
}

// imagelessMachine is an engine that has no image and cannot get any.
type imagelessMachine struct{ ports.Engine }

func (imagelessMachine) EnsureImage(_ context.Context, image string, _ func(container.ImageProgress)) error {
	return fmt.Errorf("%w: %s", container.ErrNoImage, image)
}

// switchedEngine is an engine that does not respond while it is off.
type switchedEngine struct {
	ports.Engine
	off atomic.Bool
}

func (e *switchedEngine) EnsureImage(ctx context.Context, image string, progress func(container.ImageProgress)) error {
	if e.off.Load() {
		return container.ErrEngineUnavailable
	}
	return e.Engine.EnsureImage(ctx, image, progress)
}

// wrapper returns a decorator of engines.
type wrapper func(ports.Engine) ports.Engine

func unable(e ports.Engine) ports.Engine    { return unableMachine{e} }
func imageless(e ports.Engine) ports.Engine { return imagelessMachine{e} }

// region returns running nodes eu/n1, eu/n2 and so on, with the decorators of their engines.
func region(t *testing.T, wrappers ...wrapper) []*nodetest.Node {
	t.Helper()
	prefix := etcdtest.Prefix(t)
	var nodes []*nodetest.Node
	for i, wrap := range wrappers {
		n := nodetest.New(t, nodetest.Config{
			Prefix: prefix, Region: "eu", Name: fmt.Sprintf("n%d", i+1), LeaseTTL: 2 * time.Minute, MinUptime: time.Millisecond, WrapEngine: wrap,
		})
		n.Run()
		nodes = append(nodes, n)
	}
	return nodes
}

// startAnywhere is the request of a start that names no node.
func startAnywhere(spec operation.Spec) ports.OperationRequest {
	request := nodetest.StartOp("g", spec)
	request.Origin.OperationID, request.AnyNode = "start-1", true
	return request
}

// requireOnlyOn fails the test unless the game runs on the node, and no other node has a container of it.
func requireOnlyOn(t *testing.T, n *nodetest.Node, others ...*nodetest.Node) {
	t.Helper()
	record := n.Record("g")
	require.Equal(t, []string{n.Config.Name, "running"}, []string{record.Node, string(record.Status)})
	require.Len(t, n.Containers("g"), 1)
	require.Equal(t, record.CurrentContainerID, n.Containers("g")[0].ID)
	for _, other := range others {
		require.Eventually(t, func() bool { return len(other.Containers("g")) == 0 }, nodetest.Timeout, 20*time.Millisecond)
	}
}

// requireNoReservation waits until no reservation remains.
func requireNoReservation(t *testing.T, n *nodetest.Node) {
	t.Helper()
	requireNoReservationIn(t, n, "eu")
}

func requireNoReservationIn(t *testing.T, n *nodetest.Node, region string) {
	t.Helper()
	store := etcdreservations.New(n.Config.Client, etcdreservations.Options{Prefix: n.Config.Prefix})
	require.Eventually(t, func() bool {
		found, _, err := store.Reservations(t.Context(), region, "")
		require.NoError(t, err)
		for _, r := range found {
			if len(r.Games) > 0 {
				return false
			}
		}
		return true
	}, nodetest.Timeout, 20*time.Millisecond)
}

// A start that fails for a reason of its node continues on the next one, as the same operation. The
// waiting caller receives the progress and the outcome.
func TestStartContinuesOnTheNextNode(t *testing.T) {
	t.Parallel()
	for name, wrap := range map[string]wrapper{"no image": imageless, "a port in use": unable} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			nodes := region(t, wrap, wrap, nil)
			var texts []string
			var last operation.Progress
			ctx, cancel := context.WithTimeout(t.Context(), nodetest.Timeout)
			defer cancel()
			outcome, err := nodes[0].Service.Execute(ctx, startAnywhere(nodetest.GameSpec("1.0.0")), func(p operation.Progress) {
				texts, last = append(texts, p.Text), p
			})
			require.NoError(t, err)
			require.Equal(t, "start-1", outcome.OperationID)
			require.Equal(t, "n3", outcome.Node)
			require.Len(t, outcome.Attempts, 2)
			require.Equal(t, []string{"n1", "n2"}, []string{outcome.Attempts[0].Node, outcome.Attempts[1].Node})
			require.True(t, outcome.Attempts[1].Failure.NodeFault)
			require.Equal(t, "start-1", last.OperationID)
			require.Contains(t, fmt.Sprint(texts), "on node eu/n")
			requireOnlyOn(t, nodes[2], nodes[0], nodes[1])
			requireNoReservation(t, nodes[0])
			repeated, err := nodes[0].Execute(startAnywhere(nodetest.GameSpec("1.0.0")))
			require.NoError(t, err)
			require.Equal(t, outcome.FinishedAt, repeated.FinishedAt)
		})
	}
}

// The engine of the first node does not respond, and no container was started there: the start continues.
func TestStartContinuesWithoutAnEngine(t *testing.T) {
	t.Parallel()
	nodes := region(t, func(e ports.Engine) ports.Engine { return &switchedEngine{Engine: e} }, nil)
	nodes[0].Engine.(*switchedEngine).off.Store(true)
	outcome, err := nodes[0].Execute(startAnywhere(nodetest.GameSpec("1.0.0")))
	require.NoError(t, err)
	require.Equal(t, "n2", outcome.Node)
	require.Equal(t, operation.FailureEngine, outcome.Attempts[0].Failure.Code)
	nodes[0].Engine.(*switchedEngine).off.Store(false)
	requireOnlyOn(t, nodes[1], nodes[0])
}

// The start fails on all nodes: its error names each of them.
func TestStartFailsOnAllNodes(t *testing.T) {
	t.Parallel()
	nodes := region(t, imageless, unable)
	outcome, err := nodes[0].Execute(startAnywhere(nodetest.GameSpec("1.0.0")))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.EqualError(t, err, "eu/n1: no such image: gameserver:1.0.0; eu/n2: container failed to start: port 7777/udp is in use")
	require.Equal(t, "n2", outcome.Node)
	require.Len(t, outcome.Attempts, 1)
	for _, n := range nodes {
		require.Empty(t, n.Containers("g"))
	}
	requireNoReservation(t, nodes[0])
}

// A game that fails by itself, and a start on a named node, stay on their node.
func TestStartsThatStayOnTheirNode(t *testing.T) {
	t.Parallel()
	nodes := region(t, nil, unable)
	outcome, err := nodes[0].Execute(startAnywhere(operation.Spec{Image: "broken:1.0.1"}))
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Equal(t, "n1", outcome.Node)
	require.Empty(t, outcome.Attempts)
	require.False(t, outcome.Failure.NodeFault)

	named := startAnywhere(operation.Spec{Image: "none:1.0.0"})
	named.Origin.OperationID, named.AnyNode = "start-2", false
	_, err = nodes[0].Execute(named)
	require.ErrorIs(t, err, container.ErrNoImage, "it is rejected before it is an operation")
	require.Empty(t, nodes[1].Containers("g"))
	named = startAnywhere(nodetest.GameSpec("1.0.0"))
	named.GameID, named.Origin.OperationID, named.AnyNode = "named", "start-3", false
	outcome, err = nodes[1].Execute(named)
	require.ErrorIs(t, err, operation.ErrStartFailed)
	require.Equal(t, "n2", outcome.Node)
	require.True(t, outcome.Failure.NodeFault)
}

// A stop preempts a start on the node that it has continued on.
func TestStopOfAStartThatHasContinued(t *testing.T) {
	t.Parallel()
	nodes := region(t, unable, nil)
	spec := nodetest.GameSpec("1.0.0", "--never-healthy")
	spec.HealthTimeout = operation.Duration(time.Minute)
	started := make(chan error, 1)
	go func() {
		_, err := nodes[0].Execute(startAnywhere(spec))
		started <- err
	}()
	require.Eventually(t, func() bool { return nodes[1].Service.HasActive("g") }, nodetest.Timeout, 10*time.Millisecond)
	_, err := nodes[1].Execute(nodetest.Op(operation.KindStop, "g"))
	require.NoError(t, err)
	require.ErrorIs(t, <-started, operation.ErrPreempted)
	require.Empty(t, nodes[1].Containers("g"))
}

// The daemon of the first node is killed after each side effect of a start that fails there. Its next daemon
// hands the start over, or the leader of the region does if there is none.
func TestContinuedStartSurvivesACrash(t *testing.T) {
	if testing.Short() {
		t.Skip("kills a daemon after each side effect")
	}
	t.Parallel()
	for name, returns := range map[string]bool{"the daemon returns": true, "the node is lost": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			effects := 0
			for crashAfter := int64(1); crashInContinuedStart(t, crashAfter, returns); crashAfter++ {
				effects++
			}
			require.GreaterOrEqual(t, effects, 5)
			t.Logf("killed after each of %d side effects", effects)
		})
	}
}

func crashInContinuedStart(t *testing.T, crashAfter int64, returns bool) (crashed bool) {
	t.Helper()
	t.Run(fmt.Sprintf("side effect %d", crashAfter), func(t *testing.T) {
		client, prefix := etcdtest.Client(t), etcdtest.Prefix(t)
		second := nodetest.New(t, nodetest.Config{
			Prefix: prefix, Region: "eu", Name: "n2", LeaseTTL: 2 * time.Minute, NodeLostGrace: 100 * time.Millisecond,
		})
		spec := nodetest.GameSpec("1.0.0")
		spec.OnNodeLost = operation.NodeLostReschedule
		p := crashPlan{
			Etcd: client.Endpoints()[0], Prefix: prefix, Identity: uuid.NewString(), Machine: machine{Dir: t.TempDir(), Images: nodetest.ImagesDir},
			Operations: []ports.OperationRequest{startAnywhere(spec)}, CrashAfter: crashAfter, LeaseTTL: 2 * time.Second, FailStarts: true,
		}
		if returns {
			p.LeaseTTL = 2 * time.Minute
		}
		second.Run() // it takes the start over, also if the process does not crash
		crashed = runInCrashProcess(t, p)
		if returns && crashed {
			first := nodetest.New(t, nodetest.Config{
				Client: client, Prefix: prefix, Region: "eu", Name: "n1", Identity: p.Identity, WrapEngine: unable,
				NewEngine: func(store string) ports.Engine {
					engine, err := p.Machine.open(t.Context(), store)
					require.NoError(t, err)
					t.Cleanup(func() {
						nodetest.RemoveAll(t, engine)
						require.NoError(t, engine.Close())
					})
					return engine
				},
			})
			first.Run()
			requireContinued(t, second)
			requireOnlyOn(t, second, first)
			return
		}
		requireContinued(t, second)
		requireOnlyOn(t, second)
	})
	return crashed
}

// requireContinued waits until the start has succeeded on the node.
func requireContinued(t *testing.T, n *nodetest.Node) {
	t.Helper()
	require.Eventually(t, func() bool {
		stored, err := n.Store.GetIntent(t.Context(), "g")
		require.NoError(t, err)
		outcome, found := stored.Intent.OutcomeOf("start-1")
		require.True(t, !found || outcome.Failure == nil, "%+v", outcome.Failure)
		return found && outcome.Node == "n2" && stored.Intent.DesiredStatus == runtime.StatusRunning
	}, nodetest.Timeout, 20*time.Millisecond)
}

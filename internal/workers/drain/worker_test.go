package drain_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/services/maintenance"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
	"galaxy/rtmanager/internal/workers/drain"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

var (
	ada = ports.Origin{Actor: "ada", Reason: "kernel update"}
	n1  = node.Ref{Region: "eu", Name: "n1"}
)

// cluster is the nodes eu/n1, which is drained, and eu/n2, whose workers run.
type cluster struct {
	t        *testing.T
	from, to *nodetest.Node
	settings *maintenance.Service
	stop     func() // stops the drain worker
}

// newCluster returns a cluster. to is the configuration of n2.
func newCluster(t *testing.T, to nodetest.Config) *cluster {
	t.Helper()
	prefix := etcdtest.Prefix(t)
	newNode := func(name string, cfg nodetest.Config) *nodetest.Node {
		cfg.Prefix, cfg.Region, cfg.Name, cfg.LeaseTTL, cfg.MinUptime = prefix, "eu", name, 2*time.Minute, time.Millisecond
		n := nodetest.New(t, cfg)
		n.Run()
		return n
	}
	c := &cluster{t: t, from: newNode("n1", nodetest.Config{}), to: newNode("n2", to)}
	c.runWorker()
	return c
}

// runWorker starts the drain worker of a daemon of n1.
func (c *cluster) runWorker() {
	n := c.from
	c.settings = maintenance.New(maintenance.Dependencies{Settings: n.Registry, Nodes: n.Registry, Records: n.Store, Intents: n.Store}, maintenance.Config{})
	worker := drain.New(drain.Dependencies{
		View: c.settings, Settings: n.Registry, Records: n.Store, Intents: n.Store, Nodes: n.Registry, Executor: n.Service, Placement: n.Placement,
	}, drain.Config{Region: "eu", Node: "n1", Interval: 20 * time.Millisecond, RetryAfter: 100 * time.Millisecond})
	ctx, cancel := context.WithCancel(context.WithoutCancel(c.t.Context()))
	var running sync.WaitGroup
	running.Go(func() { _ = c.settings.Run(ctx) })
	running.Go(func() { _ = worker.Run(ctx) })
	c.stop = sync.OnceFunc(func() {
		cancel()
		running.Wait()
	})
	c.t.Cleanup(c.stop)
}

// start starts a game on n1.
func (c *cluster) start(gameID string, policy operation.NodeLostPolicy) {
	c.t.Helper()
	spec := nodetest.GameSpec("1.0.0")
	spec.OnNodeLost = policy
	c.from.MustExecute(nodetest.StartOp(gameID, spec))
}

// drain requests a drain, and waits until it meets the condition.
func (c *cluster) drain(options node.DrainOptions) {
	c.t.Helper()
	_, err := c.settings.StartDrain(c.t.Context(), n1, options, ada)
	require.NoError(c.t, err)
}

// await waits until the stored drain meets the condition, and returns it.
func (c *cluster) await(isMet func(*node.Drain) bool) *node.Drain {
	c.t.Helper()
	var found *node.Drain
	require.Eventually(c.t, func() bool {
		m, err := c.from.Registry.Maintenance(c.t.Context())
		require.NoError(c.t, err)
		found = m.Nodes[n1].Drain
		return found != nil && isMet(found)
	}, nodetest.Timeout, 20*time.Millisecond)
	return found
}

func isFinished(d *node.Drain) bool { return d.FinishedAt != nil }

// requireOn fails the test unless the game has the status on the node.
func (c *cluster) requireOn(gameID, name string, status runtime.Status) {
	c.t.Helper()
	record := c.from.Record(gameID)
	require.Equal(c.t, []string{name, string(status)}, []string{record.Node, string(record.Status)}, gameID)
}

// A drain moves the games that may move, waits for the others, and ends when the node is empty. The settings
// state the progress.
func TestDrainMovesGames(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{})
	for _, gameID := range []string{"a", "b", "c", "d", "e"} {
		c.start(gameID, operation.NodeLostReschedule)
	}
	c.start("stays", operation.NodeLostKeep)
	c.drain(node.DrainOptions{Timeout: time.Hour})
	d := c.await(func(d *node.Drain) bool { return d.MoveCount == 5 && d.Remaining == 1 && d.Waiting == 1 })
	require.Nil(t, d.FinishedAt)
	results := map[node.DrainResult]int{}
	for i, event := range d.Events {
		require.Equal(t, i+1, event.Seq)
		results[event.Result]++
	}
	require.Equal(t, map[node.DrainResult]int{node.DrainMoved: 5, node.DrainWaiting: 1}, results)
	for _, gameID := range []string{"a", "b", "c", "d", "e"} {
		c.requireOn(gameID, "n2", runtime.StatusRunning)
	}
	c.requireOn("stays", "n1", runtime.StatusRunning)

	c.from.MustExecute(nodetest.Op(operation.KindStop, "stays"))
	d = c.await(isFinished)
	require.Zero(t, d.Remaining)
	require.Equal(t, 5, d.MoveCount)
}

func TestDrainStopsGames(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{})
	c.start("a", operation.NodeLostReschedule)
	c.start("b", operation.NodeLostKeep)
	c.drain(node.DrainOptions{Timeout: time.Hour, StopOnly: true})
	d := c.await(isFinished)
	require.Equal(t, 2, d.Stopped)
	c.requireOn("a", "n1", runtime.StatusStopped)
	c.requireOn("b", "n1", runtime.StatusStopped)
}

// Without another node with space, the move fails and is retried until there is one.
func TestDrainRetriesUntilThereIsSpace(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{Capacity: node.Capacity{Games: 1}})
	c.to.MustExecute(nodetest.StartOp("other", nodetest.GameSpec("1.0.0")))
	c.start("g", operation.NodeLostReschedule)
	c.drain(node.DrainOptions{Timeout: time.Hour})
	d := c.await(func(d *node.Drain) bool { return d.Failed == 1 })
	require.Contains(t, d.Events[len(d.Events)-1].Text, "node eu/n2 has 1 of 1 games")
	c.requireOn("g", "n1", runtime.StatusRunning)
	c.to.MustExecute(nodetest.Op(operation.KindStop, "other"))
	d = c.await(isFinished)
	require.Equal(t, 1, d.MoveCount)
	require.Zero(t, d.Failed)
	c.requireOn("g", "n2", runtime.StatusRunning)
}

// The deadline ends a drain, and the games that are left continue to run. Its time counts from its start.
func TestDrainEndsAtItsDeadline(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{})
	c.start("stays", operation.NodeLostKeep)
	c.drain(node.DrainOptions{Timeout: time.Second})
	d := c.await(isFinished)
	require.Equal(t, 1, d.Remaining)
	require.False(t, d.FinishedAt.Before(*d.Deadline))
	c.requireOn("stays", "n1", runtime.StatusRunning)
}

// The next daemon of the node continues a drain, with the counts and the deadline of the first one.
func TestDrainSurvivesItsDaemon(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{})
	c.start("first", operation.NodeLostReschedule)
	c.start("stays", operation.NodeLostKeep)
	c.drain(node.DrainOptions{Timeout: time.Hour})
	before := c.await(func(d *node.Drain) bool { return d.MoveCount == 1 })
	c.stop()
	c.start("second", operation.NodeLostReschedule)
	c.runWorker()
	d := c.await(func(d *node.Drain) bool { return d.MoveCount == 2 })
	require.Equal(t, before.Deadline, d.Deadline)
	require.Equal(t, before.StartedAt, d.StartedAt)
	c.requireOn("second", "n2", runtime.StatusRunning)
}

// An uncordon cancels the drain: the games that are left stay.
func TestUncordonCancelsADrain(t *testing.T) {
	t.Parallel()
	c := newCluster(t, nodetest.Config{Capacity: node.Capacity{Games: 1}})
	c.to.MustExecute(nodetest.StartOp("other", nodetest.GameSpec("1.0.0")))
	c.start("g", operation.NodeLostReschedule)
	c.drain(node.DrainOptions{Timeout: time.Hour})
	c.await(func(d *node.Drain) bool { return d.Failed == 1 })
	_, err := c.settings.Uncordon(t.Context(), n1, ada)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		current, _ := c.settings.Current()
		return current.Nodes[n1].Drain == nil
	}, nodetest.Timeout, 10*time.Millisecond)
	c.stop()
	c.to.MustExecute(nodetest.Op(operation.KindStop, "other"))
	c.runWorker()
	require.Eventually(t, func() bool { _, isKnown := c.settings.Current(); return isKnown }, nodetest.Timeout, 10*time.Millisecond)
	c.requireOn("g", "n1", runtime.StatusRunning)
	m, err := c.from.Registry.Maintenance(t.Context())
	require.NoError(t, err)
	require.True(t, m.Nodes[n1].IsZero())
}

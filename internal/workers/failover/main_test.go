package failover_test

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

const (
	// shortTTL is for nodes whose presence has to run out, longTTL for those that
	// must not be lost by a machine that is slow.
	shortTTL = time.Second
	longTTL  = 2 * time.Minute
)

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, nodetest.Timeout, 10*time.Millisecond, what)
}

// clock is set by hand.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// cluster makes nodes eu/n1, eu/n2 and so on, that share a store. The first one's
// presence lasts for ttl after it is gone.
func cluster(t *testing.T, count int, ttl time.Duration, cfg nodetest.Config) []*nodetest.Node {
	t.Helper()
	cfg.Prefix, cfg.Region, cfg.LeaseTTL = etcdtest.Prefix(t), "eu", ttl
	var made []*nodetest.Node
	for _, name := range []string{"n1", "n2", "n3"}[:count] {
		cfg.Name = name
		made = append(made, nodetest.New(t, cfg))
		cfg.LeaseTTL = longTTL
	}
	return made
}

// game is a game that is to be treated so when its node is lost.
func game(policy operation.NodeLostPolicy) operation.Spec {
	spec := nodetest.GameSpec("1.0.0")
	spec.OnNodeLost = policy
	return spec
}

// leading makes the node the leader of the region until the test ends, and returns
// its fence. What it believes, it goes on believing.
func leading(t *testing.T, n *nodetest.Node) node.Fence {
	t.Helper()
	ctx, leave := context.WithCancel(context.WithoutCancel(t.Context()))
	won := make(chan node.Fence, 1)
	over := make(chan struct{})
	go func() {
		defer close(over)
		_ = n.Member.Lead(ctx, "eu", func(_ context.Context, fence node.Fence) error {
			select {
			case won <- fence:
			default:
			}
			<-ctx.Done()
			return nil
		})
	}()
	t.Cleanup(func() {
		leave()
		<-over
	})
	select {
	case fence := <-won:
		return fence
	case <-time.After(nodetest.Timeout):
		require.Fail(t, "the node does not come to lead")
		panic("unreachable")
	}
}

// named returns the finding on the game, if there is one.
func named(n *nodetest.Node, gameID string) (drift.Finding, bool) {
	for _, f := range n.Failover.Findings() {
		if f.GameID == gameID {
			return f, true
		}
	}
	return drift.Finding{}, false
}

// vanish ends the presence of a node that was killed, as if its lease had run out.
func vanish(t *testing.T, n *nodetest.Node) {
	t.Helper()
	etcd := etcdtest.InProcess(t)
	deleted, err := etcd.Delete(t.Context(), n.Config.Prefix+"/nodes/eu/"+n.Config.Name)
	require.NoError(t, err)
	require.EqualValues(t, 1, deleted.Deleted, "its presence has gone by itself")
}

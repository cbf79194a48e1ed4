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
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/testkit/etcdtest"
	"galaxy/rtmanager/internal/testkit/nodetest"
)

func TestMain(m *testing.M) { os.Exit(nodetest.Main(m)) }

const (
	// shortTTL is for nodes whose session must expire, longTTL for nodes that must not
	// lose it on a slow machine.
	shortTTL = time.Second
	longTTL  = 2 * time.Minute
)

// fakeClock is a clock that the test advances.
type fakeClock struct {
	mu sync.Mutex
	at time.Time // guarded by mu
}

func newFakeClock() *fakeClock { return &fakeClock{at: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (c *fakeClock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *fakeClock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// cluster returns the nodes eu/n1, eu/n2 and so on of one store. The session of the first
// one lasts for ttl after a crash.
func cluster(t *testing.T, count int, ttl time.Duration, cfg nodetest.Config) []*nodetest.Node {
	t.Helper()
	cfg.Prefix, cfg.Region, cfg.LeaseTTL = etcdtest.Prefix(t), "eu", ttl
	var nodes []*nodetest.Node
	for _, name := range []string{"n1", "n2", "n3"}[:count] {
		cfg.Name = name
		nodes = append(nodes, nodetest.New(t, cfg))
		cfg.LeaseTTL = longTTL
	}
	return nodes
}

// game returns the spec of a game with the policy.
func game(policy operation.NodeLostPolicy) operation.Spec {
	spec := nodetest.GameSpec("1.0.0")
	spec.OnNodeLost = policy
	return spec
}

// becomeLeader makes the node the leader of the region until the test ends, and returns
// its fence. The node does not detect the end of its leadership.
func becomeLeader(t *testing.T, n *nodetest.Node) node.Fence {
	t.Helper()
	ctx, leave := context.WithCancel(context.WithoutCancel(t.Context()))
	won := make(chan node.Fence, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
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
		<-done
	})
	select {
	case fence := <-won:
		awaitCache(t, n)
		return fence
	case <-time.After(nodetest.Timeout):
		require.Fail(t, "the node does not become the leader")
		panic("unreachable")
	}
}

// awaitCache waits until the cache of the node's store has all writes that were made before. A
// pass reads the cache, and would not see the games of a test otherwise.
func awaitCache(t *testing.T, n *nodetest.Node) {
	t.Helper()
	current, err := n.Store.ListPage(t.Context(), ports.PageQuery{Limit: 1})
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		cached, err := n.Store.ListPage(t.Context(), ports.PageQuery{Limit: 1, Local: true})
		return err == nil && cached.Revision >= current.Revision
	}, nodetest.Timeout, time.Millisecond, "the cache has every write")
}

// findingOn returns the finding on the game, if there is one.
func findingOn(n *nodetest.Node, gameID string) (drift.Finding, bool) {
	for _, f := range n.Failover.Findings() {
		if f.GameID == gameID {
			return f, true
		}
	}
	return drift.Finding{}, false
}

// expireSession ends the session of a crashed node, as if its lease had expired.
func expireSession(t *testing.T, n *nodetest.Node) {
	t.Helper()
	etcd := etcdtest.InProcess(t)
	deleted, err := etcd.Delete(t.Context(), n.Config.Prefix+"/nodes/eu/"+n.Config.Name)
	require.NoError(t, err)
	require.EqualValues(t, 1, deleted.Deleted, "its session has already expired")
}

package etcdmembers_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestNodesReflectJoinLeaveAndLoss(t *testing.T) {
	t.Parallel()
	skipExpiry(t)
	f := newFixture(t)
	require.Empty(t, f.names())
	f.join(f.registry(nil, longTTL), newNode("n2"))
	require.Equal(t, []string{"eu/n2"}, f.names())
	first := f.join(f.registry(nil, longTTL), newNode("n1"))
	require.Equal(t, []string{"eu/n1", "eu/n2"}, f.names())
	f.putRaw("/nodesother", "")
	require.Equal(t, []string{"eu/n1", "eu/n2"}, f.names(), "a key outside the family of nodes")
	require.NoError(t, first.Close())
	require.Equal(t, []string{"eu/n2"}, f.names())
	client, proxy := behindProxy(t)
	f.join(f.registry(client, shortTTL), newNode("n3"))
	proxy.pause()
	require.Eventually(t, func() bool { return slices.Equal(f.names(), []string{"eu/n2"}) }, testTimeout, pollInterval, "the lease of a paused node does not expire")
}

// TestCandidateSurvivesRestartAndCompaction restarts etcd and compacts the history after
// which a candidate waits for the leader's key to change.
func TestCandidateSurvivesRestartAndCompaction(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	server := etcdtest.Start(t)
	f := fixture{t: t, etcd: server.Client(), prefix: etcdtest.Prefix(t)}
	leader := startCampaign(t, f.join(f.registry(server.Client(), longTTL), newNode("n1")), "eu")
	fence := receive(t, leader.started, "a leadership")
	candidate := startCampaign(t, f.join(f.registry(server.Client(), longTTL), newNode("n2")), "eu")
	for range 2 {
		server.Restart()
		f.putRaw("/filler", "") // so that there is something to compact
		resp, err := f.etcd.Delete(t.Context(), f.prefix+"/filler")
		require.NoError(t, err)
		_, err = f.etcd.Compact(t.Context(), resp.Header.GetRevision())
		require.NoError(t, err)
	}
	require.Empty(t, leader.causes)
	leader.cancel()
	require.Greater(t, receive(t, candidate.started, "a successor").CreateRevision, fence.CreateRevision)
}

// TestLeaderKeyIsReadWithoutWatches uses watches that never respond, and watches that end
// at once.
func TestLeaderKeyIsReadWithoutWatches(t *testing.T) {
	t.Parallel()
	for name, ends := range map[string]bool{"no response": false, "ends at once": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			client := etcdtest.InProcess(t)
			client.Watcher = uselessWatcher{client.Watcher, ends}
			registry := etcdmembers.New(f.etcd, etcdmembers.Options{Prefix: f.prefix, LeaseTTL: shortTTL, WatchClient: client})
			c := startCampaign(t, f.join(registry, newNode("n1")), "eu")
			receive(t, c.started, "a leadership")
			f.deleteRaw("/leaders/eu")
			receive(t, c.causes, "the end of the leadership")
		})
	}
}

// uselessWatcher has watches without responses.
type uselessWatcher struct {
	clientv3.Watcher
	ends bool
}

func (w uselessWatcher) Watch(context.Context, string, ...clientv3.OpOption) clientv3.WatchChan {
	responses := make(chan clientv3.WatchResponse)
	if w.ends {
		close(responses)
	}
	return responses
}

func TestReadsWithoutEtcdAreUnavailable(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	server.Stop()
	registry := etcdmembers.New(client, etcdmembers.Options{CallTimeout: shortTTL / 10, OperationTimeout: shortTTL / 2})
	_, err := registry.Nodes(t.Context())
	require.ErrorIs(t, err, runtime.ErrUnavailable)
	_, _, err = registry.Leader(t.Context(), "eu")
	require.ErrorIs(t, err, runtime.ErrUnavailable)
}

package etcdmembers_test

import (
	"errors"
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/server/v3/embed"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// TestRebuiltEtcd has another cluster respond at the address of the first: the node loses
// presence and leadership, and writes nothing to the new cluster.
func TestRebuiltEtcd(t *testing.T) {
	t.Parallel()
	skipRestart(t)
	client, proxy := behindProxy(t)
	f := fixture{t: t, etcd: client, prefix: etcdtest.Prefix(t)}
	registry := etcdmembers.New(client, etcdmembers.Options{Prefix: f.prefix, LeaseTTL: 4 * shortTTL})
	m := f.join(registry, newNode("n1"))
	campaign := startCampaign(t, m, "eu")
	receive(t, campaign.started, "the leadership")

	rebuilt := etcdtest.Start(t, func(cfg *embed.Config) { cfg.InitialClusterToken = "rebuilt" })
	before := revisionOf(t, rebuilt)
	proxy.retarget(rebuilt.Endpoint())
	require.Eventually(t, func() bool { _, present := m.Fence(); return !present }, testTimeout, pollInterval, "the fence is trusted in another cluster")
	receive(t, campaign.causes, "the end of the leadership")
	require.Eventually(t, func() bool {
		_, err := registry.Nodes(t.Context())
		return errors.Is(err, runtime.ErrIncompatible) && errors.Is(m.LastError(), runtime.ErrIncompatible)
	}, testTimeout, pollInterval)
	require.Equal(t, before, revisionOf(t, rebuilt), "the node has written to another cluster")

	_, err := etcdmembers.New(client, etcdmembers.Options{Prefix: f.prefix, ClusterID: 1}).Join(t.Context(), newNode("n2"))
	require.ErrorIs(t, err, runtime.ErrIncompatible)
}

func revisionOf(t *testing.T, server *etcdtest.Server) int64 {
	t.Helper()
	resp, err := server.Client().Get(t.Context(), "x")
	require.NoError(t, err)
	return resp.Header.GetRevision()
}

// retarget forwards new connections to another server, and closes those that exist.
func (p *proxy) retarget(endpoint string) {
	target, err := url.Parse(endpoint)
	if err != nil {
		panic(err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.target = target.Host
	for _, c := range p.conns {
		_ = c.Close()
	}
}

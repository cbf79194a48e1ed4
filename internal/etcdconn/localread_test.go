package etcdconn_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/etcdconn"
	"galaxy/rtmanager/internal/testkit/regions"
)

// Without a majority of members, the nodes are read from the remaining one and marked as stale.
func TestNodesAreListedWithoutAMajority(t *testing.T) {
	if testing.Short() {
		t.Skip("runs etcd in three regions")
	}
	s := newSite(t)
	registry := etcdmembers.New(s.pool.Client(), etcdmembers.Options{Prefix: "/members", LeaseTTL: 10 * time.Minute})
	self := node.Node{
		Region: "eu", Name: "n1", API: "http://n1.example:8080", Version: "1", Identity: "identity", Instance: "instance",
		Engine: container.EngineKindProcess, StartedAt: time.Now(),
	}
	membership, err := registry.Join(t.Context(), self)
	require.NoError(t, err)
	current, err := registry.Overview(t.Context())
	require.NoError(t, err)
	require.False(t, current.IsStale)

	s.cluster.KillMember(regions.EU)
	s.cluster.KillMember(regions.AP)
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		require.Equal(c, etcdconn.StateNoLeader, s.status(regions.US).State)
	}, timeout, 20*time.Millisecond)
	stale, err := registry.Overview(t.Context())
	require.NoError(t, err)
	require.True(t, stale.IsStale)
	require.Equal(t, current.Present, stale.Present)

	s.cluster.RestartMember(regions.EU)
	s.cluster.RestartMember(regions.AP)
	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	require.NoError(t, s.pool.WaitHealthy(ctx))
	require.EventuallyWithT(t, func(c *assert.CollectT) {
		current, err := registry.Overview(t.Context())
		require.NoError(c, err)
		require.False(c, current.IsStale)
	}, timeout, 20*time.Millisecond)
	require.NoError(t, membership.Close())
}

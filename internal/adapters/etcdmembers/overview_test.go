package etcdmembers_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

// TestAbsentNodesStayListed follows one node that stops and one whose key expires.
func TestAbsentNodesStayListed(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	registry := f.registry(nil, longTTL)
	first, second := f.join(registry, newNode("n1")), f.join(registry, newNode("n2"))
	receive(t, startCampaign(t, second, "eu").started, "the leadership")
	overview := func() node.Overview {
		t.Helper()
		found, err := registry.Overview(t.Context())
		require.NoError(t, err)
		require.False(t, found.IsStale)
		return found
	}
	require.Equal(t, []string{"eu/n1", "eu/n2"}, namesOf(overview().Present))
	require.Empty(t, overview().Absent)
	require.True(t, overview().IsLeader(node.Ref{Region: "eu", Name: "n2"}))
	require.ErrorIs(t, registry.RemoveNode(t.Context(), node.Ref{Region: "eu", Name: "n1"}), runtime.ErrConflict)

	require.NoError(t, first.Close())
	absent := overview().Absent
	require.Len(t, absent, 1)
	require.Equal(t, node.StatusStopped, absent[0].Status())
	require.WithinDuration(t, time.Now(), absent[0].StoppedAt, time.Hour)

	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	lost := node.Ref{Region: "eu", Name: "n3"}
	third := f.join(f.registry(nil, longTTL), newNode("n3"))
	require.NoError(t, registry.SetLost(t.Context(), lost, at), "a present node is not marked")
	_, lease, _ := f.readRaw("/nodes/eu/n3")
	proof, awaited := make(chan error, 1), overview().Present[1]
	go func() { proof <- registry.AwaitAbsence(context.WithoutCancel(t.Context()), awaited) }()
	f.deleteRaw("/nodes/eu/n3")
	require.NoError(t, receive(t, proof, "the absence of the node"))
	require.NotZero(t, lease)
	require.NoError(t, registry.SetLost(t.Context(), lost, at))
	require.NoError(t, registry.SetLost(t.Context(), lost, at.Add(time.Hour)), "a marked node keeps its time")
	found, isAbsent := overview().FindAbsent(lost)
	require.True(t, isAbsent)
	require.Equal(t, node.StatusLost, found.Status())
	require.Equal(t, at, found.LostAt.UTC())

	require.NoError(t, registry.RemoveNode(t.Context(), node.Ref{Region: "eu", Name: "n1"}))
	err := registry.RemoveNode(t.Context(), node.Ref{Region: "eu", Name: "n1"})
	require.ErrorIs(t, err, runtime.ErrNotFound)
	require.EqualError(t, err, "no such node: eu/n1")
	require.Equal(t, 1, len(overview().Absent))
	require.NoError(t, third.Close())
}

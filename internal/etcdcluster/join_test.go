package etcdcluster_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"

	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

// A candidate that waits for another one writes nothing to the log of etcd.
func TestSecondLearnerWaits(t *testing.T) {
	t.Parallel()
	server := etcdtest.Start(t)
	client := server.Client()
	_, err := client.MemberAddAsLearner(t.Context(), []string{"http://127.0.0.1:1"})
	require.NoError(t, err)
	before, err := client.Status(t.Context(), server.Endpoint())
	require.NoError(t, err)

	ctx, cancel := context.WithTimeout(t.Context(), timeout)
	defer cancel()
	_, _, err = etcdcluster.AddLearner(ctx, client, etcdcluster.Candidate{Name: "us/1", PeerURL: "http://127.0.0.1:2", Report: func(reason error) {
		require.ErrorIs(t, reason, rpctypes.ErrTooManyLearners)
		require.ErrorContains(t, reason, "the join of member at http://127.0.0.1:1")
		cancel()
	}})
	require.ErrorIs(t, err, context.Canceled)
	after, err := client.Status(t.Context(), server.Endpoint())
	require.NoError(t, err)
	require.Equal(t, before.RaftIndex, after.RaftIndex)
}

package etcdcluster_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/testkit/etcdtest"
)

func TestListOfOneMember(t *testing.T) {
	t.Parallel()
	client := etcdtest.Client(t)
	members, err := etcdcluster.List(t.Context(), client)
	require.NoError(t, err)
	require.Len(t, members.List, 1)
	require.Equal(t, 1, members.Voters())
	require.NotZero(t, members.ClusterID)
	only := members.List[0]
	require.True(t, only.IsStarted())
	found, ok := members.ByID(only.ID)
	require.True(t, ok)
	require.Equal(t, only, found)
	_, ok = members.ByName("")
	require.False(t, ok)

	local, err := etcdcluster.ListLocal(t.Context(), client)
	require.NoError(t, err)
	require.Equal(t, members, local)
}

package embeddedetcd_test

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
)

func TestThreeMembersFormACluster(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1", "ap/1")
	members := hosts[1].list(t)
	require.Equal(t, 3, members.Voters())
	for i, h := range hosts {
		key := fmt.Sprintf("key%d", i)
		h.put(t, key)
		for _, reader := range hosts {
			reader.requireKeys(t, key)
		}
		_, isMember := members.ByName(h.cfg.Cluster.Name)
		require.True(t, isMember)
	}
	for _, h := range hosts { // the same settings serve every restart
		h.stop(t)
		h.start(t)
		h.awaitReady(t)
	}
	require.Equal(t, members, hosts[0].list(t))
}

func TestRemovedMemberStopsAndDoesNotReturn(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1", "ap/1")
	running, stopped := hosts[1], hosts[2]

	stopped.stop(t)
	hosts[0].remove(t, "ap/1")
	hosts[0].remove(t, "us/1")
	err := <-running.member.Err()
	_, isRemoved := errors.AsType[*embeddedetcd.RemovedError](err)
	require.True(t, isRemoved, "%v", err)
	require.NoError(t, running.member.Close())
	require.ErrorContains(t, running.startError(t), "was removed from its cluster")

	// The other members report to a member that starts that it was removed.
	stopped.start(t)
	err = <-stopped.member.Err()
	_, isRemoved = errors.AsType[*embeddedetcd.RemovedError](err)
	require.True(t, isRemoved, "%v", err)
	require.NoError(t, stopped.member.Close())
	require.ErrorContains(t, stopped.startError(t), "was removed from its cluster")
	require.Len(t, hosts[0].list(t).List, 1)
	hosts[0].put(t, "key")
}

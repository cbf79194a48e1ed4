package embeddedetcd_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"

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

	hosts[0].stop(t)
	hosts[0].editClusterFile(t, func(text string) string { return strings.Replace(text, "{", `{"removed": true,`, 1) })
	single := hosts[0].cfg
	single.Cluster = nil
	require.ErrorContains(t, startError(t, single), "was removed from its cluster", "without the flags of a cluster as well")
}

// Without a quorum the member rejects requests, and does not let them wait. It serves its own data.
func TestRequestsWithoutALeader(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	hosts[0].put(t, "key")
	hosts[1].stop(t)
	client := hosts[0].member.Client()
	ctx, cancel := context.WithTimeout(t.Context(), clusterTimeout)
	defer cancel()
	require.Eventually(t, func() bool { return hosts[0].member.Health() != nil }, clusterTimeout, 10*time.Millisecond)
	_, err := client.Get(ctx, "key")
	require.ErrorIs(t, err, rpctypes.ErrNoLeader, "get")
	_, err = client.Put(ctx, "key", "value")
	require.ErrorIs(t, err, rpctypes.ErrNoLeader, "put")
	_, err = client.Delete(ctx, "key")
	require.ErrorIs(t, err, rpctypes.ErrNoLeader, "delete")
	_, err = client.Txn(ctx).Then(clientv3.OpGet("key")).Commit()
	require.ErrorIs(t, err, rpctypes.ErrNoLeader, "txn")
	got, err := client.Get(ctx, "key", clientv3.WithSerializable())
	require.NoError(t, err)
	require.EqualValues(t, 1, got.Count)
	hosts[1].start(t)
	hosts[1].awaitReady(t)
	hosts[0].awaitReady(t)
	hosts[0].put(t, "key")
}

// etcd closes its database when its member is removed, while the daemon reads, writes and watches.
func TestClientsOfARemovedMemberEnd(t *testing.T) {
	t.Parallel()
	hosts := cluster(t, "eu/1", "us/1")
	client := hosts[1].member.Client()
	var clients sync.WaitGroup
	for range 4 {
		clients.Go(func() {
			for {
				if _, err := client.Get(t.Context(), "key", clientv3.WithSerializable()); err != nil {
					assert.ErrorIs(t, err, rpctypes.ErrStopped)
					return
				}
			}
		})
	}
	watchCtx, stop := context.WithCancel(t.Context())
	defer stop()
	created := <-client.Watch(watchCtx, "key", clientv3.WithPrevKV(), clientv3.WithCreatedNotify())
	require.True(t, created.Created)
	hosts[0].remove(t, "us/1")
	_, isRemoved := errors.AsType[*embeddedetcd.RemovedError](<-hosts[1].member.Err())
	require.True(t, isRemoved)
	clients.Wait()
	require.NoError(t, hosts[1].member.Close())
}

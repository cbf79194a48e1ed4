package operator_test

import (
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
)

func TestMembersFromAnotherGoroutine(t *testing.T) {
	cluster, ctx := start(t)
	client := cluster.Client(regions.AP)
	require.NoError(t, put(ctx, client, "key", "a"))
	errs := make(chan error, 1)
	inGoroutine := func(do func() error) {
		t.Helper()
		go func() { errs <- do() }()
		require.NoError(t, <-errs)
	}
	inGoroutine(func() error { return cluster.TransferLeader(ctx, regions.US) })
	require.Equal(t, regions.US, cluster.Leader())
	inGoroutine(func() error { return cluster.SignalMember(regions.EU, syscall.SIGSTOP) })
	require.NoError(t, put(ctx, client, "key", "b"))
	inGoroutine(func() error { return cluster.SignalMember(regions.EU, syscall.SIGCONT) })
	inGoroutine(func() error { return operator.RestartMembers(ctx, cluster) })
	requireGet(ctx, t, client, "key", "b")

	cluster.KillMember(regions.EU)
	require.ErrorContains(t, cluster.SignalMember(regions.EU, syscall.SIGSTOP), "process already finished")
	inGoroutine(func() error { return cluster.LaunchMember(regions.EU) })
}

func TestCompactAndDefragment(t *testing.T) {
	cluster, ctx := start(t)
	client := cluster.Client(regions.US)
	require.NoError(t, put(ctx, client, "key", "a"))
	require.NoError(t, put(ctx, client, "key", "b"))
	revision, err := operator.Compact(ctx, cluster, regions.EU, 0)
	require.NoError(t, err)
	require.EqualValues(t, 3, revision)
	_, err = client.Get(ctx, "key", clientv3.WithRev(2))
	require.ErrorContains(t, err, "compacted")
	_, err = operator.Compact(ctx, cluster, regions.EU, 2)
	require.NoError(t, err, "compacted before")
	for _, region := range regions.Names() {
		require.NoError(t, operator.Defragment(ctx, cluster, region))
	}
	requireGet(ctx, t, client, "key", "b")
}

func TestReplaceMember(t *testing.T) {
	cluster, ctx := start(t)
	require.NoError(t, put(ctx, cluster.Client(regions.US), "key", "a"))
	for _, region := range regions.Names() {
		before, err := cluster.Client(region).Status(ctx, cluster.Client(region).Endpoints()[0])
		require.NoError(t, err)
		require.NoError(t, cluster.ReplaceMember(ctx, region))
		require.NoError(t, operator.AwaitMember(ctx, cluster, region))
		after, err := cluster.Client(region).Status(ctx, cluster.Client(region).Endpoints()[0])
		require.NoError(t, err)
		require.NotEqual(t, before.Header.GetMemberId(), after.Header.GetMemberId())
		requireGet(ctx, t, cluster.Client(region), "key", "a")
	}
}

func TestQuota(t *testing.T) {
	cluster, ctx := start(t, regions.Quota(4<<20))
	client := cluster.Client(regions.EU)
	var err error
	for err == nil && ctx.Err() == nil {
		err = put(ctx, client, "key", strings.Repeat("a", 256<<10))
	}
	require.ErrorContains(t, err, "database space exceeded")
	hasAlarm, err := operator.HasAlarm(ctx, cluster, regions.US)
	require.NoError(t, err)
	require.True(t, hasAlarm)

	require.NoError(t, operator.RepairSpace(ctx, cluster))
	hasAlarm, err = operator.HasAlarm(ctx, cluster, regions.US)
	require.NoError(t, err)
	require.False(t, hasAlarm)
	require.NoError(t, put(ctx, client, "key", "b"))
}

// The disk of one member is full: the others continue. The member ends by itself, and serves once it
// has space and is started.
func TestFullDiskOfAMember(t *testing.T) {
	dir := t.TempDir()
	disk, err := operator.MountDisk(dir, 256<<20)
	if os.IsPermission(err) {
		t.Skipf("the disk of a member can be filled only with the permission to mount: %v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, disk.Unmount()) })
	cluster, ctx := start(t, regions.MemberIn(regions.AP, dir))
	client := cluster.Client(regions.EU)
	require.NoError(t, disk.Fill())
	require.Eventually(t, func() bool {
		require.NoError(t, put(ctx, client, "key", strings.Repeat("a", 1<<20)))
		return cluster.SignalMember(regions.AP, syscall.Signal(0)) != nil
	}, timeout, time.Millisecond, "the member with the full disk has not ended")

	require.NoError(t, disk.Free())
	require.NoError(t, put(ctx, client, "key", "b"))
	require.NoError(t, cluster.LaunchMember(regions.AP))
	require.NoError(t, operator.AwaitMember(ctx, cluster, regions.AP))
	requireGet(ctx, t, cluster.Client(regions.AP), "key", "b")
}

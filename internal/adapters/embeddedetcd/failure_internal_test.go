package embeddedetcd

import (
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/filelock"
)

// Only an internal test can make a healthy member stop by itself.
func TestFailureIsReported(t *testing.T) {
	t.Parallel()
	member := startMember(t)
	member.etcd.Server.Stop()

	select {
	case err := <-member.Err():
		require.ErrorContains(t, err, member.data.etcdDir())
	case <-time.After(20 * time.Second):
		require.Fail(t, "the member stopped without an error")
	}
	require.NoError(t, member.Close())
}

func TestCloseReturnsAfterStopTimeout(t *testing.T) {
	t.Parallel()
	data, err := lockDataDir(t.TempDir())
	require.NoError(t, err)
	member := &Member{data: data, stopTimeout: time.Millisecond}
	blocked := make(chan struct{})
	require.ErrorContains(t, member.closeEtcd(func() { <-blocked }), "has not stopped within 1ms")
	close(blocked)
	lock, err := filelock.Acquire(filepath.Join(data.path, lockName), time.Minute)
	require.NoError(t, err, "it unlocks the directory when etcd has stopped")
	require.NoError(t, lock.Release())
}

package embeddedetcd

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.etcd.io/etcd/client/pkg/v3/fileutil"
)

func TestStartWaitsForTheLocksOfTheLog(t *testing.T) {
	t.Parallel()
	d := dataDir{path: t.TempDir()}
	d.waitForLogLocks(t.Context()) // without a log
	file := filepath.Join(d.etcdDir(), "member", "wal", "0.wal")
	require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o700))
	lock, err := fileutil.LockFile(file, os.O_CREATE|os.O_RDWR, 0o600)
	require.NoError(t, err)
	require.True(t, d.hasLockedLog())
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	d.waitForLogLocks(ctx) // ends with its context
	require.Error(t, ctx.Err())

	done := make(chan struct{})
	go func() { d.waitForLogLocks(t.Context()); close(done) }()
	require.NoError(t, lock.Close())
	<-done
	require.False(t, d.hasLockedLog())
}

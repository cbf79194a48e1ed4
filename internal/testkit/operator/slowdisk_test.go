package operator_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/testkit/operator"
)

// mountSlowDisk mounts a disk for the test, and returns its directory.
func mountSlowDisk(t *testing.T) (disk *operator.SlowDisk, dir string) {
	t.Helper()
	dir = t.TempDir()
	disk, err := operator.MountSlowDisk(dir, t.TempDir())
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { require.NoError(t, disk.Unmount()) })
	return disk, dir
}

// write starts a process that writes a synced file to the directory, and returns what receives its result.
func write(t *testing.T, dir, name string) (*exec.Cmd, <-chan error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "dd", "if=/dev/zero", "of="+filepath.Join(dir, name), "bs=4k", "count=3", "conv=fsync") //nolint:gosec // of the test
	require.NoError(t, cmd.Start())
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	return cmd, done
}

func requirePending(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		require.Fail(t, "the write is done", "%v", err)
	case <-time.After(300 * time.Millisecond):
	}
}

func TestSlowDisk(t *testing.T) {
	disk, dir := mountSlowDisk(t)
	_, done := write(t, dir, "fast")
	require.NoError(t, <-done)

	disk.SetSyncDelay(time.Hour)
	cmd, done := write(t, dir, "slow")
	requirePending(t, done)
	require.NoError(t, cmd.Process.Signal(syscall.SIGKILL))
	require.Error(t, <-done, "a process that waits can be killed")

	disk.Repair()
	disk.FailSyncs()
	_, done = write(t, dir, "failed")
	require.Error(t, <-done)

	disk.Repair()
	disk.Hang()
	_, done = write(t, dir, "hanging")
	requirePending(t, done)
	disk.Repair()
	require.NoError(t, <-done)
	content, err := exec.CommandContext(t.Context(), "cat", filepath.Join(dir, "hanging")).Output() //nolint:gosec // of the test
	require.NoError(t, err)
	require.Len(t, content, 3*4<<10)
}

func TestFilesOfASlowDiskRemain(t *testing.T) {
	dir, files := t.TempDir(), t.TempDir()
	disk, err := operator.MountSlowDisk(dir, files)
	if err != nil {
		t.Skip(err)
	}
	_, done := write(t, dir, "file")
	err = <-done
	require.NoError(t, disk.Unmount())
	require.NoError(t, err)
	entries, err := os.ReadDir(files)
	require.NoError(t, err)
	require.Len(t, entries, 1)
	remaining, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, remaining)
}

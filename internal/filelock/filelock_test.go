package filelock_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/filelock"
)

func TestASecondLockFailsAndNamesTheHolder(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	require.NoError(t, os.WriteFile(name, []byte("12345678901234567890\n"), 0o600)) // of an earlier process
	first, err := filelock.Acquire(name, 0)
	require.NoError(t, err)

	_, err = filelock.Acquire(name, 0)
	require.ErrorIs(t, err, filelock.ErrLocked)
	require.EqualError(t, err, name+" is locked by process "+strconv.Itoa(os.Getpid()))
	require.NoError(t, os.Truncate(name, 0))
	_, err = filelock.Acquire(name, 0)
	require.EqualError(t, err, name+" is locked by another process")

	require.NoError(t, first.Release())
	second, err := filelock.Acquire(name, 0)
	require.NoError(t, err)
	require.NoError(t, second.Release())
	require.FileExists(t, name)
}

func TestAcquireWaitsForTheLock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Acquire(name, 0)
	require.NoError(t, err)
	released := make(chan error, 1)
	time.AfterFunc(30*time.Millisecond, func() { released <- first.Release() })
	second, err := filelock.Acquire(name, time.Minute)
	require.NoError(t, err)
	require.NoError(t, <-released)
	require.NoError(t, second.Release())
}

// A process that has opened the file before its removal locks a new one.
func TestRemoveLeavesOneLock(t *testing.T) {
	t.Parallel()
	name := filepath.Join(t.TempDir(), "lock")
	first, err := filelock.Acquire(name, 0)
	require.NoError(t, err)
	removed := make(chan error, 1)
	time.AfterFunc(30*time.Millisecond, func() { removed <- first.Remove() })
	second, err := filelock.Acquire(name, time.Minute) // opens the file that is removed
	require.NoError(t, err)
	require.NoError(t, <-removed)
	_, err = filelock.Acquire(name, 0)
	require.ErrorIs(t, err, filelock.ErrLocked)
	require.NoError(t, second.Remove())
	require.NoFileExists(t, name)
}

func TestAFileThatCannotBeOpened(t *testing.T) {
	t.Parallel()
	_, err := filelock.Acquire(filepath.Join(t.TempDir(), "missing", "lock"), 0)
	require.ErrorIs(t, err, fs.ErrNotExist)
	require.NotErrorIs(t, err, filelock.ErrLocked)
}

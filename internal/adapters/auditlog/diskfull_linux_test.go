package auditlog_test

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"galaxy/rtmanager/internal/adapters/auditlog"
	"galaxy/rtmanager/internal/domain/audit"
)

// On a full disk Check fails while there is still space for the requests in progress, and
// no line is incomplete. The log recovers when space is freed.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := secureDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=3m,mode=0700"); errors.Is(err, syscall.EPERM) {
		t.Skip("this user cannot mount a file system")
	} else {
		require.NoError(t, err)
	}
	t.Cleanup(func() { require.NoError(t, syscall.Unmount(dir, 0)) })
	f := start(t, auditlog.FileConfig{Path: filepath.Join(dir, "audit.log"), MaxBytes: 64 << 20}, nil)
	t.Cleanup(f.stop) // before the file system is unmounted
	f.append(t, succeeded("first"))

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	stored := []string{"first"}
	for i := 0; f.Check() == nil; i++ {
		require.Less(t, i, 10_000, "Check must fail")
		f.append(t, succeeded(strconv.Itoa(i)))
		stored = append(stored, strconv.Itoa(i))
	}
	for i := range 100 {
		id := "in progress " + strconv.Itoa(i)
		f.append(t, succeeded(id)) // in the space that was reserved
		stored = append(stored, id)
	}
	require.ErrorIs(t, f.Check(), audit.ErrUnavailable)
	for i := 0; ; i++ {
		require.Less(t, i, 10_000, "Append must fail")
		id := "beyond " + strconv.Itoa(i)
		stored = append(stored, id)
		if err := f.Append(t.Context(), succeeded(id)); err != nil {
			require.ErrorIs(t, err, syscall.ENOSPC)
			break
		}
	}
	require.NoError(t, os.Remove(ballast))
	require.Eventually(t, func() bool { return f.Check() == nil }, testTimeout, tick)
	f.append(t, succeeded("last"))
	require.Equal(t, append(stored, "last"), ids(f.read(t)))
}

// fill writes a file until its disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	require.NoError(t, err)
	defer file.Close()
	for err == nil {
		_, err = file.Write(make([]byte, 4<<10))
	}
	require.ErrorIs(t, err, syscall.ENOSPC)
}

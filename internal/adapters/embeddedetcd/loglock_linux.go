package embeddedetcd

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"galaxy/rtmanager/internal/wait"
)

// logLockTimeout is how long a start waits for the locks of the log files.
const logLockTimeout = 5 * time.Second

// waitForLogLocks waits until no log file is locked, at most for logLockTimeout. etcd does not
// wait: it reports a corrupt log. etcd locks its log files by open file descriptions, which a
// child of this process shares until it executes its program. So a file can remain locked for
// a moment after it was closed, for example by a restore in this process.
func (d dataDir) waitForLogLocks(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, logLockTimeout)
	defer cancel()
	for d.hasLockedLog() && wait.For(ctx, 10*time.Millisecond) == nil {
	}
}

// hasLockedLog reports whether a log file is locked. It takes no lock itself, which another
// child could share.
func (d dataDir) hasLockedLog() bool {
	files, _ := filepath.Glob(filepath.Join(d.etcdDir(), "member", "wal", "*.wal"))
	for _, file := range files {
		if isLocked(file) {
			return true
		}
	}
	return false
}

func isLocked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false // etcd reports it
	}
	defer func() { _ = f.Close() }()
	lock := unix.Flock_t{Type: unix.F_WRLCK, Whence: io.SeekStart}
	err = unix.FcntlFlock(f.Fd(), unix.F_OFD_GETLK, &lock)
	return err == nil && lock.Type != unix.F_UNLCK
}

// Package filelock lets only one process at a time use a directory, by a lock file in it.
package filelock

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"
)

// retryInterval is the time between two attempts to take a lock.
const retryInterval = 10 * time.Millisecond

// ErrLocked reports that another process holds the lock. Acquire returns it as a
// *LockedError.
var ErrLocked = errors.New("the file is locked")

// LockedError names the process that holds a lock.
type LockedError struct {
	// Path is the lock file.
	Path string
	// Holder names the process that holds the lock: "process 12", or "another process"
	// if the lock file does not contain a process id.
	Holder string
}

func (e *LockedError) Error() string { return fmt.Sprintf("%s is locked by %s", e.Path, e.Holder) }

// Is reports whether target is ErrLocked.
func (e *LockedError) Is(target error) bool { return target == ErrLocked }

// Lock is a lock that this process holds.
type Lock struct{ file *os.File }

// Acquire creates the file if necessary, locks it, and writes the process id into it. If
// another process, or another Lock of this one, holds the lock, Acquire retries until the
// timeout and then returns a *LockedError. The kernel releases the lock when the process
// exits.
//
// A process that is killed while it forks a child can leave the lock to the child until
// the child executes its program. A caller that forks should wait longer than that.
func Acquire(name string, timeout time.Duration) (*Lock, error) {
	f, err := openLocked(name, timeout)
	if err != nil {
		return nil, err
	}
	l := &Lock{file: f}
	err = f.Truncate(0)
	if err == nil {
		_, err = f.WriteAt([]byte(strconv.Itoa(os.Getpid())+"\n"), 0)
	}
	if err != nil {
		return nil, errors.Join(err, l.Release())
	}
	return l, nil
}

// openLocked opens and locks the file. It retries if the file was removed before it was
// locked.
func openLocked(name string, timeout time.Duration) (*os.File, error) {
	for {
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
		if err != nil {
			return nil, err
		}
		if err := retryLock(f, timeout); err != nil {
			return nil, errors.Join(err, f.Close())
		}
		locked, err := f.Stat()
		if err != nil {
			return nil, errors.Join(err, unlock(f), f.Close())
		}
		if current, err := os.Stat(name); err == nil && os.SameFile(locked, current) {
			return f, nil
		}
		if err := errors.Join(unlock(f), f.Close()); err != nil {
			return nil, err
		}
	}
}

// retryLock locks the file, and retries until the timeout while the file is locked.
func retryLock(f *os.File, timeout time.Duration) error {
	for deadline := time.Now().Add(timeout); ; {
		err := tryLock(f)
		switch {
		case err == nil:
			return nil
		case !errors.Is(err, ErrLocked):
			return &fs.PathError{Op: "lock", Path: f.Name(), Err: err}
		case !time.Now().Before(deadline):
			return &LockedError{Path: f.Name(), Holder: readHolder(f.Name())}
		}
		<-time.After(retryInterval)
	}
}

// Release releases the lock and leaves the file in place. It frees the lock even while a
// forked child of this process, which has not executed its program yet, has the file open.
func (l *Lock) Release() error { return errors.Join(unlock(l.file), l.file.Close()) }

// Remove deletes the lock file and releases the lock. A process that waits for the lock
// creates and locks a new file.
func (l *Lock) Remove() error { return errors.Join(os.Remove(l.file.Name()), l.Release()) }

// readHolder names the process whose id the lock file contains.
func readHolder(name string) string {
	content, err := os.ReadFile(name)
	pid := strings.TrimSpace(string(content))
	if err != nil || pid == "" {
		return "another process"
	}
	return "process " + pid
}

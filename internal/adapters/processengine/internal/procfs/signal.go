package procfs

import (
	"os"
	"syscall"
)

// KillPipeHolders kills every process that has the pipe open for writing, except the
// calling process and the process with the pid except. It reads all of /proc, so callers use it
// after cheaper ways have failed.
func KillPipeHolders(pipe os.FileInfo, except int) {
	// Between fork and exec, a child of this process has all its files open.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, pid := range pids() {
		if pid != except {
			killIf(pid, func() bool { return HasPipeOpen(pid, pipe) })
		}
	}
}

// isExecuting reports whether the process executes the file.
func isExecuting(pid int, file string) bool {
	executable, err := os.Readlink(path(pid, "exe"))
	return err == nil && executable == file
}

// killIf kills the process if it matches. It checks the match a second time with an open
// handle, since only then the pid cannot be reused.
func killIf(pid int, matches func() bool) {
	if !matches() {
		return
	}
	handle, err := Open(pid)
	if err != nil {
		return
	}
	defer func() { _ = handle.Release() }()
	if matches() {
		_ = handle.Signal(syscall.SIGKILL)
	}
}

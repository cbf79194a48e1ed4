package procfs

import (
	"os"
	"path/filepath"
	"syscall"
)

// SignalRecorded sends the signal to the process whose stat the file contains. It sends
// nothing and returns false if it cannot verify the process: the process must have the
// recorded start time, and it or its parent must have the pipe open for writing.
func SignalRecorded(statFile string, pipe os.FileInfo, signal os.Signal) bool {
	recorded, ok := ReadStat(statFile)
	if !ok {
		return false
	}
	handle, err := Open(recorded.PID)
	if err != nil {
		return false
	}
	defer func() { _ = handle.Release() }()
	current, ok := ReadStat(path(recorded.PID, "stat"))
	if !ok || current.StartTime != recorded.StartTime || !hasPipeOpen(current.PID, pipe) && !hasPipeOpen(current.Parent, pipe) {
		return false
	}
	return handle.Signal(signal) == nil
}

// KillPipeHolders kills every process that has the pipe open for writing, except the
// calling process and the process with the pid except. It reads all of /proc, so callers use it
// after cheaper ways have failed.
func KillPipeHolders(pipe os.FileInfo, except int) {
	// Between fork and exec, a child of this process has all its files open.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	for _, pid := range pids() {
		if pid != except {
			killIf(pid, func() bool { return hasPipeOpen(pid, pipe) })
		}
	}
}

// KillExecutable kills every process that executes the file, except the calling process.
// /proc/PID/exe is the path that the process executed, so other hard links do not match.
func KillExecutable(file string) {
	file, err := filepath.EvalSymlinks(file) // /proc contains the resolved path
	if err != nil {
		return
	}
	for _, pid := range pids() {
		if pid != os.Getpid() {
			killIf(pid, func() bool { return isExecuting(pid, file) })
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

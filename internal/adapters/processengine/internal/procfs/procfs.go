// Package procfs identifies processes by /proc and sends signals to them.
//
// A pid alone does not identify a process, since the kernel reuses pids. This package
// therefore opens a handle of the process (a pidfd), which prevents the reuse of its pid. It
// then verifies the process, and only then sends a signal. It verifies a process by its start
// time, its parent, its environment, the pipe that it has open for writing, or its executable.
//
//	stat.go     Stat: /proc/PID/stat
//	holders.go  processes that have a pipe open for writing
//	members.go  the processes of a game, and signals to them
//	signal.go   kills of verified processes
//
// On other systems than Linux there is no /proc, and no function finds a process.
package procfs

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
)

// Open returns a handle of the process that has the pid now. The handle never refers to a
// later process with the same pid.
func Open(pid int) (*os.Process, error) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	// Without a pidfd, for example because of a lack of file descriptors, the handle would
	// be only a pid.
	if err := process.WithHandle(func(uintptr) {}); err != nil {
		return nil, errors.Join(err, process.Release())
	}
	return process, nil
}

// path returns /proc/PID/NAME.
func path(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// pids returns the ids of all processes.
func pids() []int {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	var all []int
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			all = append(all, pid)
		}
	}
	return all
}

package processengine

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// process is one process as /proc/PID/stat tells of it.
type process struct {
	pid, parent int
	start       string // in ticks since the machine started
}

// The fields of stat behind the name, counted from 0; see proc_pid_stat(5).
const (
	statParent = 1
	statStart  = 19
)

// parseStat reads "PID (NAME) STATE PARENT …"; the name may hold anything.
func parseStat(text string) (process, bool) {
	pid, rest, found := strings.Cut(text, " (")
	end := strings.LastIndex(rest, ") ")
	if !found || end < 0 {
		return process{}, false
	}
	fields := strings.Fields(rest[end+2:])
	if len(fields) <= statStart {
		return process{}, false
	}
	p := process{start: fields[statStart]}
	var err, wrong error
	p.pid, err = strconv.Atoi(pid)
	p.parent, wrong = strconv.Atoi(fields[statParent])
	return p, err == nil && wrong == nil && p.pid > 1
}

func readStat(name string) (process, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return process{}, false
	}
	return parseStat(string(text))
}

// openProcess returns a handle that stands for the process which has the pid now,
// and for no other that gets it later.
func openProcess(pid int) (*os.Process, error) {
	process, err := os.FindProcess(pid)
	if err != nil {
		return nil, err
	}
	// For want of file descriptors, say, it may be a pid and no more.
	if err := process.WithHandle(func(uintptr) {}); err != nil {
		return nil, errors.Join(err, process.Release())
	}
	return process, nil
}

func procFile(pid int, name string) string {
	return filepath.Join("/proc", strconv.Itoa(pid), name)
}

// signal sends the signal to the game's first process, which the file names. It
// reports false, and sends nothing, where it is not certain which that is: a pid
// alone proves nothing, so the process must be as old as the recorded one, and
// hold the pipe itself or be the child of one that does. The handle keeps the pid
// from being used again meanwhile.
func (r *run) signal(file string, s os.Signal) bool {
	recorded, ok := readStat(file)
	if !ok {
		return false
	}
	handle, err := openProcess(recorded.pid)
	if err != nil {
		return false
	}
	defer func() { _ = handle.Release() }()
	now, ok := readStat(procFile(recorded.pid, "stat"))
	if !ok || now.start != recorded.start || !holds(now.pid, r.held) && !holds(now.parent, r.held) {
		return false
	}
	return handle.Signal(s) == nil
}

// killHolders kills every process that holds the pipe, but the one with the pid
// spare. It reads all of /proc, so it is for what plain ways have not ended.
func killHolders(pipe os.FileInfo, spare int) {
	// Between fork and exec a child of ours has all that we have open.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	all, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range all {
		if pid, err := strconv.Atoi(entry.Name()); err == nil && pid != spare && holds(pid, pipe) {
			killHolder(pid, pipe)
		}
	}
}

// killProgram kills every process that executes this very file: the path proves
// whose it is, whatever else is known of it.
func killProgram(file string) {
	file, err := filepath.EvalSymlinks(file) // as /proc tells it
	if err != nil {
		return
	}
	all, err := os.ReadDir("/proc")
	if err != nil {
		return
	}
	for _, entry := range all {
		pid, err := strconv.Atoi(entry.Name())
		if err != nil || pid == os.Getpid() || !executes(pid, file) {
			continue
		}
		if handle, err := openProcess(pid); err == nil {
			if executes(pid, file) { // still, now that the pid stands for one process
				_ = handle.Signal(syscall.SIGKILL)
			}
			_ = handle.Release()
		}
	}
}

func executes(pid int, file string) bool {
	program, err := os.Readlink(procFile(pid, "exe"))
	return err == nil && program == file
}

// killHolder looks again once it has a handle, since only then the pid stands for
// one process.
func killHolder(pid int, pipe os.FileInfo) {
	handle, err := openProcess(pid)
	if err != nil {
		return
	}
	defer func() { _ = handle.Release() }()
	if holds(pid, pipe) {
		_ = handle.Signal(syscall.SIGKILL)
	}
}

// holds reports whether the process, not being this one, has the pipe open for
// writing.
func holds(pid int, pipe os.FileInfo) bool {
	if pid <= 1 || pid == os.Getpid() {
		return false
	}
	if holdsAs(pid, "3", pipe) {
		return true // where it is, unless the game has moved it
	}
	open, err := os.ReadDir(procFile(pid, "fd"))
	if err != nil {
		return false
	}
	for _, descriptor := range open {
		if holdsAs(pid, descriptor.Name(), pipe) {
			return true
		}
	}
	return false
}

func holdsAs(pid int, descriptor string, pipe os.FileInfo) bool {
	name := procFile(pid, "fd/"+descriptor)
	file, err := os.Stat(name)
	if err != nil || !os.SameFile(file, pipe) {
		return false
	}
	link, err := os.Lstat(name) // its mode is that of the descriptor; see proc_pid_fd(5)
	return err == nil && link.Mode().Perm()&0o200 != 0
}

package procfs

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// Match describes the processes of a game whose parent was killed. A process matches if it has
// one of the features; zero features match nothing.
type Match struct {
	Variable   string      // NAME=VALUE in the environment that the process was started with
	Executable string      // the path of the executable
	Pipe       os.FileInfo // a pipe that the process has open for writing
}

// Find returns the processes that match, and all their descendants. It reads all of /proc.
func Find(m Match) []int {
	if resolved, err := filepath.EvalSymlinks(m.Executable); err == nil {
		m.Executable = resolved // /proc contains the resolved path
	}
	// Between fork and exec, a child of this process has all its files open.
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	var found []int
	for _, pid := range pids() {
		if pid > 1 && pid != os.Getpid() && m.matches(pid) {
			found = append(found, pid)
			found = append(found, Descendants(pid)...)
		}
	}
	return found
}

func (m Match) matches(pid int) bool {
	if m.Executable != "" && isExecuting(pid, m.Executable) {
		return true
	}
	if m.Pipe != nil && HasPipeOpen(pid, m.Pipe) {
		return true
	}
	if m.Variable == "" {
		return false
	}
	environment, err := os.ReadFile(path(pid, "environ"))
	return err == nil && slices.ContainsFunc(bytes.Split(environment, []byte{0}), func(variable []byte) bool {
		return string(variable) == m.Variable
	})
}

// Descendants returns the children of the process, their children, and so on. A process that is
// created during the call can be missing.
func Descendants(pid int) []int {
	var all []int
	for _, child := range children(pid) {
		all = append(all, child)
		all = append(all, Descendants(child)...)
	}
	return all
}

// children returns the children of the process.
func children(pid int) []int {
	lists, _ := filepath.Glob(path(pid, "task/*/children"))
	if len(lists) == 0 {
		return childrenByStat(pid)
	}
	var found []int
	for _, list := range lists {
		text, _ := os.ReadFile(list)
		for _, field := range strings.Fields(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				found = append(found, child)
			}
		}
	}
	return found
}

// childrenByStat returns the children of the process on a kernel without lists of children.
func childrenByStat(parent int) []int {
	if _, err := os.Stat(path(parent, "stat")); err != nil {
		return nil
	}
	var found []int
	for _, pid := range pids() {
		if stat, ok := ReadStat(path(pid, "stat")); ok && stat.Parent == parent {
			found = append(found, pid)
		}
	}
	return found
}

// SignalAll sends the signal to the processes that find returns, and returns their number. It
// calls find twice, and signals a process only if both calls return it: since the handle of
// the process was opened in between, its pid cannot have been reused.
func SignalAll(find func() []int, signal os.Signal) int {
	handles := map[int]*os.Process{}
	for _, pid := range find() {
		if handle, err := Open(pid); err == nil && handles[pid] == nil {
			handles[pid] = handle
		}
	}
	signalled := 0
	for _, pid := range find() {
		if handle := handles[pid]; handle != nil && handle.Signal(signal) == nil {
			signalled++
		}
	}
	for _, handle := range handles {
		_ = handle.Release()
	}
	return signalled
}

// IsAlive reports whether the recorded process lives.
func (s Stat) IsAlive() bool {
	current, ok := ReadStat(path(s.PID, "stat"))
	return ok && current.StartTime == s.StartTime && !current.IsZombie
}

// Alive returns the processes that live and are not zombies, each once.
func Alive(pids []int) []int {
	slices.Sort(pids)
	return slices.DeleteFunc(slices.Compact(pids), func(pid int) bool {
		stat, ok := ReadStat(path(pid, "stat"))
		return !ok || stat.IsZombie
	})
}

// Environment returns the variables with which the process was started, in the form of the kernel: NAME=VALUE, each
// followed by NUL. It returns nil unless they contain the variable.
func Environment(pid int, variable string) []byte {
	text, err := os.ReadFile(path(pid, "environ"))
	if err != nil || !bytes.Contains(append([]byte{0}, text...), []byte("\x00"+variable+"\x00")) {
		return nil
	}
	return text
}

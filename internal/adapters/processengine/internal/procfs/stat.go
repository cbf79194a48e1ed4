package procfs

import (
	"os"
	"strconv"
	"strings"
)

// Stat is the part of /proc/PID/stat that identifies a process.
type Stat struct {
	PID, Parent int
	StartTime   string // in clock ticks since the boot of the machine
	IsZombie    bool   // it has exited, and its parent has not read its exit code
}

// The fields of stat after the name, counted from 0; see proc_pid_stat(5).
const (
	fieldState     = 0
	fieldParent    = 1
	fieldStartTime = 19
)

// ReadStat reads a file with the content of /proc/PID/stat. It returns false if there is no
// such file or if its content is incomplete.
func ReadStat(name string) (Stat, bool) {
	text, err := os.ReadFile(name)
	if err != nil {
		return Stat{}, false
	}
	return parseStat(string(text))
}

// parseStat parses "PID (NAME) STATE PARENT …". The name can contain any character.
func parseStat(text string) (Stat, bool) {
	pid, rest, found := strings.Cut(text, " (")
	end := strings.LastIndex(rest, ") ")
	if !found || end < 0 {
		return Stat{}, false
	}
	fields := strings.Fields(rest[end+2:])
	if len(fields) <= fieldStartTime {
		return Stat{}, false
	}
	stat := Stat{StartTime: fields[fieldStartTime], IsZombie: fields[fieldState] == "Z" || fields[fieldState] == "X"}
	var pidErr, parentErr error
	stat.PID, pidErr = strconv.Atoi(pid)
	stat.Parent, parentErr = strconv.Atoi(fields[fieldParent])
	return stat, pidErr == nil && parentErr == nil && stat.PID > 1
}

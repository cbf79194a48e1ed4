package procfs

import (
	"os"
	"strconv"
	"strings"
	"time"
)

// Usage is what one process uses.
type Usage struct {
	// CPU is the CPU time of the process and of the children that it has waited for.
	CPU         time.Duration
	MemoryBytes int64 // resident
}

// The fields of stat after the name; see proc_pid_stat(5). There are four fields of CPU times.
const (
	fieldCPU      = 11
	fieldResident = 21
)

// clockTick is the unit of CPU times, which is the same for all programs of Linux.
const clockTick = time.Second / 100

// ReadUsage returns the usage of a process, and false if there is no such process.
func ReadUsage(pid int) (Usage, bool) {
	text, err := os.ReadFile(path(pid, "stat"))
	if err != nil {
		return Usage{}, false
	}
	return parseUsage(string(text))
}

func parseUsage(text string) (usage Usage, isComplete bool) {
	fields := strings.Fields(text[strings.LastIndex(text, ") ")+1:])
	if len(fields) <= fieldResident {
		return Usage{}, false
	}
	for _, field := range fields[fieldCPU : fieldCPU+4] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return Usage{}, false
		}
		usage.CPU += time.Duration(ticks) * clockTick
	}
	pages, err := strconv.ParseInt(fields[fieldResident], 10, 64)
	usage.MemoryBytes = pages * int64(os.Getpagesize())
	return usage, err == nil
}

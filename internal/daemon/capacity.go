package daemon

import (
	"bufio"
	"context"
	"os"
	"runtime"
	"strconv"
	"strings"

	"galaxy/rtmanager/internal/domain/node"
)

// machineEngine is an engine that knows the machine on which its games run, which need not be
// this one.
type machineEngine interface {
	// Machine returns the CPUs and the memory of that machine.
	Machine(ctx context.Context) (node.Capacity, error)
}

// machineCapacity returns the CPUs and the memory of the machine on which the games of the engine
// run. A number that cannot be read is 0.
func machineCapacity(ctx context.Context, e engine) node.Capacity {
	if remote, isMachine := e.(machineEngine); isMachine {
		if capacity, err := remote.Machine(ctx); err == nil {
			return capacity
		}
	}
	return node.Capacity{CPUs: float64(runtime.NumCPU()), MemoryBytes: localMemory()}
}

// localMemory returns the memory of this machine, or the limit of this container if that is less;
// 0 if neither can be read.
func localMemory() int64 {
	total := readMeminfo()
	text, err := os.ReadFile("/sys/fs/cgroup/memory.max")
	if err != nil {
		return total
	}
	limit, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || total > 0 && limit > total { // "max" is no number
		return total
	}
	return limit
}

// readMeminfo returns MemTotal of /proc/meminfo in bytes.
func readMeminfo() int64 {
	file, err := os.Open("/proc/meminfo")
	if err != nil {
		return 0
	}
	defer func() { _ = file.Close() }()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if fields := strings.Fields(lines.Text()); len(fields) >= 2 && fields[0] == "MemTotal:" {
			kilobytes, _ := strconv.ParseInt(fields[1], 10, 64) // 0 if it cannot be read
			return kilobytes << 10
		}
	}
	return 0
}

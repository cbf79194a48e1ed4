// Package cgroups puts the processes of each game into a control group of its own, where the
// machine permits it. The kernel then knows all processes of a game, since they
// cannot leave the group. It also limits the game's memory and processors.
//
// It uses version 2 of control groups (https://docs.kernel.org/admin-guide/cgroup-v2.html), or
// version 1, or both on a machine with both. The groups of games are next to the control
// group of the daemon, or in it:
//
//	cgroups.go  Host: what this machine permits, and the groups of one game
//	mounts.go   the hierarchies of the machine
//	groups.go   the groups of a game: processes, kill, memory events
package cgroups

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// Limits are the limits of a game; 0 means none.
type Limits struct {
	CPUs        float64
	MemoryBytes int64
}

// Host creates control groups on this machine. The zero value creates none.
type Host struct {
	hierarchies []hierarchy
}

// Detect returns what the machine permits. shell is the path of sh.
func Detect(shell string) Host {
	var h Host
	for _, candidate := range findHierarchies() {
		if candidate.isUsable(shell) {
			h.hierarchies = append(h.hierarchies, candidate)
		}
	}
	return h
}

// isUsable reports whether a process can be moved to a new group.
func (h hierarchy) isUsable(shell string) bool {
	h.enableControllers()
	probe, err := os.MkdirTemp(h.parent, groupPrefix+"probe-")
	if err != nil {
		return false
	}
	defer func() { _ = Remove([]string{probe}) }()
	return exec.CommandContext(context.Background(), shell, "-c", `echo 0 >"$0/cgroup.procs"`, probe).Run() == nil
}

// HasGroups reports whether games have control groups.
func (h Host) HasGroups() bool { return len(h.hierarchies) > 0 }

// CanLimitCPUs reports whether CPUs can be limited.
func (h Host) CanLimitCPUs() bool { return h.has("cpu") }

// CanLimitMemory reports whether memory can be limited.
func (h Host) CanLimitMemory() bool { return h.has("memory") }

func (h Host) has(controller string) bool {
	for _, candidate := range h.hierarchies {
		if candidate.has(controller) {
			return true
		}
	}
	return false
}

// Groups returns the directories of the game's groups, whether or not they exist.
func (h Host) Groups(id string) []string {
	var groups []string
	for _, hierarchy := range h.hierarchies {
		groups = append(groups, filepath.Join(hierarchy.parent, groupPrefix+id))
	}
	return groups
}

// Create creates the groups of the game with the limits. It replaces groups that an earlier run
// has left, which must have no processes.
func (h Host) Create(id string, limits Limits) error {
	groups := h.Groups(id)
	if err := Remove(groups); err != nil {
		return err
	}
	for i, group := range groups {
		err := os.Mkdir(group, 0o755)
		if err == nil {
			err = h.hierarchies[i].limit(group, limits)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("control group: %w", err), Remove(groups))
		}
	}
	return nil
}

// limit sets the limits that the hierarchy controls.
func (h hierarchy) limit(group string, limits Limits) error {
	const period = 100_000 // µs, the default of the kernel
	quota := int64(limits.CPUs * period)
	var settings []setting
	if limits.MemoryBytes > 0 && h.has("memory") {
		settings = append(settings, h.memorySettings(limits.MemoryBytes)...)
	}
	if quota > 0 && h.has("cpu") {
		settings = append(settings, h.cpuSettings(quota, period)...)
	}
	for _, s := range settings {
		err := writeFile(filepath.Join(group, s.file), s.value)
		if err != nil && (!s.isOptional || !errors.Is(err, os.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// setting is the value of a file of a group. An optional file need not exist.
type setting struct {
	file, value string
	isOptional  bool
}

// memorySettings limit memory, without additional swap, as Docker does.
func (h hierarchy) memorySettings(bytes int64) []setting {
	limit := strconv.FormatInt(bytes, 10)
	if h.isV2 {
		return []setting{{file: "memory.max", value: limit}, {file: "memory.swap.max", value: "0", isOptional: true}}
	}
	return []setting{{file: "memory.limit_in_bytes", value: limit}, {file: "memory.memsw.limit_in_bytes", value: limit, isOptional: true}}
}

func (h hierarchy) cpuSettings(quota, period int64) []setting {
	if h.isV2 {
		return []setting{{file: "cpu.max", value: fmt.Sprintf("%d %d", quota, period)}}
	}
	return []setting{{file: "cpu.cfs_period_us", value: strconv.FormatInt(period, 10)}, {file: "cpu.cfs_quota_us", value: strconv.FormatInt(quota, 10)}}
}

// writeFile writes a file of a group, which must exist.
func writeFile(name, value string) error {
	f, err := os.OpenFile(name, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(value)
	return errors.Join(err, f.Close())
}

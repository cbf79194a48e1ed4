package cgroups

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// Processes returns the ids of the processes in the groups and in groups below them.
func Processes(groups []string) []int {
	var pids []int
	for _, group := range groups {
		for _, dir := range subgroups(group) {
			text, _ := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
			for line := range strings.Lines(string(text)) {
				if pid, err := strconv.Atoi(strings.TrimSpace(line)); err == nil && pid > 1 {
					pids = append(pids, pid)
				}
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// Kill kills all processes in the groups, also those that they fork in the meantime. It returns
// false if the kernel cannot do so; callers then kill each process.
func Kill(groups []string) bool {
	isKilled := false
	for _, group := range groups {
		if writeFile(filepath.Join(group, "cgroup.kill"), "1") == nil {
			isKilled = true
		}
	}
	return isKilled
}

// OOMKills returns the number of processes in the groups that the kernel has killed for lack of
// memory; 0 if it is unknown.
func OOMKills(groups []string) int {
	kills := 0
	for _, group := range groups {
		for _, file := range []string{"memory.events", "memory.oom_control"} {
			text, _ := os.ReadFile(filepath.Join(group, file))
			for line := range strings.Lines(string(text)) {
				if count, found := strings.CutPrefix(strings.TrimSpace(line), "oom_kill "); found {
					n, _ := strconv.Atoi(count)
					kills = max(kills, n)
				}
			}
		}
	}
	return kills
}

// Remove removes the groups and the groups below them. It returns an error if one has
// processes.
func Remove(groups []string) error {
	var errs []error
	for _, group := range groups {
		dirs := subgroups(group)
		slices.Reverse(dirs) // the innermost first
		for _, dir := range dirs {
			if err := os.Remove(dir); !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}

// subgroups returns the group and all groups below it, the outermost first. It is empty if
// there is no such group.
func subgroups(group string) []string {
	var dirs []string
	_ = filepath.WalkDir(group, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.IsDir() {
			dirs = append(dirs, path)
		}
		return nil
	})
	return dirs
}

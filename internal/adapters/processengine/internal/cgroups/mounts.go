package cgroups

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// groupPrefix begins the name of the group of a game.
const groupPrefix = "rtmanager-"

// daemonGroup is the name of a group that holds the daemon alone, as set by DelegateSubgroup= of
// systemd. The groups of games are then next to it: a group whose controllers are enabled
// for its children cannot hold processes itself.
const daemonGroup = "daemon"

// hierarchy is one tree of control groups.
type hierarchy struct {
	isV2        bool
	controllers []string
	parent      string // the directory of the groups of games
}

func (h hierarchy) has(controller string) bool {
	if !h.isV2 {
		return slices.Contains(h.controllers, controller)
	}
	enabled, _ := os.ReadFile(filepath.Join(h.parent, "cgroup.subtree_control"))
	return slices.Contains(strings.Fields(string(enabled)), controller)
}

// enableControllers enables the controllers of version 2 for the groups of games. It fails
// without an error if the kernel does not permit it; has reports the result.
func (h hierarchy) enableControllers() {
	if !h.isV2 {
		return
	}
	for _, controller := range []string{"+memory", "+cpu"} {
		_ = writeFile(filepath.Join(h.parent, "cgroup.subtree_control"), controller)
	}
}

// findHierarchies returns the hierarchies in which games get groups: version 2, and the
// controllers of version 1 that are not in version 2.
func findHierarchies() []hierarchy {
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	memberships, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return nil
	}
	return parseHierarchies(string(mounts), string(memberships))
}

// parseHierarchies parses /proc/self/mountinfo and /proc/self/cgroup; see proc(5) and
// cgroups(7).
func parseHierarchies(mounts, memberships string) []hierarchy {
	var found []hierarchy
	for line := range strings.Lines(mounts) {
		fields, rest, _ := strings.Cut(strings.TrimSpace(line), " - ")
		mount, source := strings.Fields(fields), strings.Fields(rest)
		if len(mount) < 5 || len(source) < 3 {
			continue
		}
		h := hierarchy{isV2: source[0] == "cgroup2"}
		if source[0] == "cgroup" {
			h.controllers = strings.Split(source[2], ",")
		}
		isNeeded := h.isV2 || slices.Contains(h.controllers, "memory") || slices.Contains(h.controllers, "cpu")
		path, isMember := membership(memberships, h)
		if !isNeeded || !isMember {
			continue
		}
		root, mountPoint := mount[3], mount[4]
		if inside, isBelow := strings.CutPrefix(path, strings.TrimSuffix(root, "/")); isBelow {
			path = inside
		} else {
			path = "" // the mount shows only another part of the hierarchy
		}
		h.parent = filepath.Join(mountPoint, path)
		if filepath.Base(path) == daemonGroup {
			h.parent = filepath.Dir(h.parent)
		}
		found = append(found, h)
	}
	return found
}

// membership returns the path of the daemon's own group in the hierarchy.
func membership(memberships string, h hierarchy) (path string, isMember bool) {
	for line := range strings.Lines(memberships) {
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		controllers := strings.Split(fields[1], ",")
		if h.isV2 && fields[1] == "" || !h.isV2 && slices.ContainsFunc(h.controllers, func(c string) bool {
			return (c == "memory" || c == "cpu") && slices.Contains(controllers, c)
		}) {
			return fields[2], true
		}
	}
	return "", false
}

package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/filelock"
)

// otherNodeError reports that games on this machine belong to a node of another name. It
// ends the start of a daemon with any engine setting: the games would be out of reach.
type otherNodeError struct{ reason string }

func (e *otherNodeError) Error() string { return e.reason }

func newOtherNodeError(format string, args ...any) error {
	return &otherNodeError{fmt.Sprintf(format, args...)}
}

// unreachableGames returns the error of a node whose data directory has games of the node
// other, with the remedies.
func unreachableGames(other, self node.Ref, games string) error {
	return newOtherNodeError("this data directory has run games as node %s, which still has %s, so it cannot serve as node %s; start with --region %s --node %s, or stop and clean up those games first, or take them over with --rename-from %s",
		other, games, self, other.Region, other.Name, other)
}

// replacedMark is in the path of a directory that a rename has replaced. No escaped name
// contains it.
const replacedMark = "%replaced-"

// Bounds of the wait for the lock of a node's directory.
const (
	// releaseTimeout is for a lock that must be free. A daemon that was killed holds its lock
	// for a moment longer, and isLocked of another daemon holds it for a moment.
	releaseTimeout = 2 * time.Second
	// probeTimeout is for a lock that a daemon may hold for long. It outlasts isLocked of
	// another daemon.
	probeTimeout = 100 * time.Millisecond
)

// storedNode is the directory of a node in a data directory.
type storedNode struct {
	path string
	name nodeName
	// containers is the number of containers of the process engine.
	containers int
}

// findNodeDirs returns the directories of the nodes that have run on the data directory, in
// the order of their paths.
func findNodeDirs(root string) ([]storedNode, error) {
	paths, err := filepath.Glob(filepath.Join(escapeGlob(root), "*", "*"))
	if err != nil {
		return nil, err
	}
	var found []storedNode
	for _, path := range paths {
		region, regionErr := url.PathUnescape(filepath.Base(filepath.Dir(path)))
		name, nameErr := url.PathUnescape(filepath.Base(path))
		info, err := os.Stat(path)
		if strings.Contains(path[len(root):], replacedMark) || err == nil && !info.IsDir() {
			continue
		}
		d := storedNode{path: path}
		if err == nil {
			d.name, err = readNodeName(path, node.Ref{Region: region, Name: name})
		}
		if err == nil && (d.name.Region == "" || regionErr != nil || nameErr != nil) {
			continue
		}
		if err == nil {
			d.containers, err = countContainers(path)
		}
		if err != nil {
			return nil, err
		}
		found = append(found, d)
	}
	return found, nil
}

// escapeGlob returns a pattern that matches only the path.
func escapeGlob(path string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(path)
}

// countContainers returns the number of containers of the process engine in the directory
// of a node. Drafts and remains of containers, whose names start with a dot, do not count.
func countContainers(dir string) (int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "containers"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	entries = slices.DeleteFunc(entries, func(e os.DirEntry) bool { return !e.IsDir() || strings.HasPrefix(e.Name(), ".") })
	return len(entries), nil
}

// isLocked reports whether a daemon uses the directory. A daemon that was killed can hold
// the lock for a moment longer; isLocked waits for that at most the timeout.
func (d storedNode) isLocked(timeout time.Duration) (bool, error) {
	lock, err := filelock.Acquire(filepath.Join(d.path, "lock"), timeout)
	if errors.Is(err, filelock.ErrLocked) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	return false, lock.Release()
}

// nodeSelection is the result of selectNodeDir.
type nodeSelection struct {
	storedNode
	// replaced is the path of an unused directory with the same name; empty if there is none.
	replaced string
	// former is the directory of the former name; nil without a rename and if the data
	// directory has none.
	former *storedNode
	// others holds the other nodes of the data directory, and idle those that no daemon runs
	// at present.
	others, idle []storedNode
}

// selectNodeDir selects the directory of the node self below root. With a former name that
// is not taken over yet, that is the directory of the former node, if that has containers or
// the only one: games use its path. It returns an otherNodeError if the data directory has games of
// a node of another name that no daemon runs, and none of self.
func selectNodeDir(root string, self, former node.Ref) (nodeSelection, error) {
	dirs, err := findNodeDirs(root)
	if err != nil {
		return nodeSelection{}, err
	}
	index := func(ref node.Ref) int {
		return slices.IndexFunc(dirs, func(d storedNode) bool { return d.name.Ref == ref })
	}
	selected := nodeSelection{storedNode: storedNode{path: freePath(root, self), name: nodeName{Ref: self}}}
	local := index(self)
	if local >= 0 {
		selected.storedNode = dirs[local]
	}
	if !former.IsZero() && !selected.name.hasTakenOver(former) {
		if i := index(former); i >= 0 {
			selected.former = &dirs[i]
		}
		if err := selected.takeOver(self, former, local >= 0); err != nil {
			return nodeSelection{}, err
		}
	}
	return selected, selected.checkOthers(dirs)
}

// takeOver turns the selected directory, that of self, into that of a renamed node.
func (s *nodeSelection) takeOver(self, former node.Ref, isStored bool) error {
	if s.former == nil {
		s.name = s.name.renamed(self, former, nodeName{})
		return nil
	}
	isLocked, err := s.former.isLocked(releaseTimeout)
	switch {
	case err != nil:
		return err
	case isLocked:
		return newOtherNodeError("--rename-from %s: a daemon on this machine runs as that node; stop it first", former)
	case s.containers > 0 && s.former.containers > 0:
		return newOtherNodeError("--rename-from %s: that node and this one, %s, both have containers in this data directory; start as one of them, stop and clean up its games, and then start as the other", former, self)
	case s.former.containers > 0 || !isStored:
		if isStored {
			s.replaced = s.path
		}
		name := s.former.name.renamed(self, former, s.name)
		s.storedNode = *s.former
		s.name = name
	default:
		s.name = s.name.renamed(self, former, s.former.name)
	}
	return nil
}

// checkOthers returns an otherNodeError if an idle node of another name has containers, and the
// selected one has none. It keeps the idle nodes.
func (s *nodeSelection) checkOthers(dirs []storedNode) error {
	for _, d := range dirs {
		if d.path == s.path || d.path == s.replaced {
			continue
		}
		s.others = append(s.others, d)
		isLocked, err := d.isLocked(probeTimeout)
		if err != nil {
			return err
		}
		if isLocked {
			continue // two daemons share the data directory, each with its own node
		}
		s.idle = append(s.idle, d)
		if d.containers > 0 && s.containers == 0 {
			return unreachableGames(d.name.Ref, s.name.Ref, fmt.Sprintf("%d container(s) in %s", d.containers, d.path))
		}
	}
	return nil
}

// freePath returns the path of a new directory of the node. The usual one may belong to a
// node that was renamed.
func freePath(root string, ref node.Ref) string {
	path := filepath.Join(root, url.PathEscape(ref.Region), url.PathEscape(ref.Name))
	for {
		if stored, err := readNodeName(path, ref); err != nil || stored.Ref == ref {
			return path
		}
		path += "+"
	}
}

package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/domain/node"
)

// nodeName is the content of the file name in the directory of a node. A directory that
// was never renamed has no such file; its path is then its name.
type nodeName struct {
	node.Ref
	// Former holds the former names of the node, whose games it has taken over.
	Former []node.Ref `json:"former,omitempty"`
	// Pending is the former name of a rename that is not complete: records may have it.
	Pending *node.Ref `json:"pending,omitempty"`
	// Containers holds the ids of the Docker containers that were taken over. Their labels
	// have a former name.
	Containers []string `json:"containers,omitempty"`
}

// readNodeName returns the name of the directory, and the default if it has no file name.
func readNodeName(dir string, byPath node.Ref) (nodeName, error) {
	file := filepath.Join(dir, "name")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nodeName{Ref: byPath}, nil
	}
	var stored nodeName
	if err == nil {
		err = json.Unmarshal(text, &stored)
	}
	if err == nil && (stored.Region == "" || stored.Name == "") {
		err = errors.New("it names no node")
	}
	if err != nil {
		return nodeName{}, fmt.Errorf("name of the node in %s: %w; restore the file", file, err)
	}
	return stored, nil
}

// write stores the name in the directory.
func (n nodeName) write(dir string) error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err == nil {
		err = atomicfile.Write(filepath.Join(dir, "name"), append(text, '\n'))
	}
	if err != nil {
		return fmt.Errorf("name of the node: %w", err)
	}
	return nil
}

// hasTakenOver reports whether the games of the former name have been taken over, or are
// being taken over.
func (n nodeName) hasTakenOver(former node.Ref) bool { return slices.Contains(n.Former, former) }

// renamed returns the name after the node former was renamed to self. It keeps the former
// names and the containers of both.
func (n nodeName) renamed(self, former node.Ref, other nodeName) nodeName {
	names := slices.Concat(n.Former, other.Former, []node.Ref{former})
	slices.SortFunc(names, func(a, b node.Ref) int { return strings.Compare(a.String(), b.String()) })
	names = slices.DeleteFunc(slices.Compact(names), func(ref node.Ref) bool { return ref == self })
	containers := slices.Concat(n.Containers, other.Containers)
	slices.Sort(containers)
	return nodeName{Ref: self, Former: names, Pending: &former, Containers: slices.Compact(containers)}
}

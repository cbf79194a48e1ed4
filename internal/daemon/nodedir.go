package daemon

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/filelock"
)

// nodeDir is the directory of one node on its machine, locked by this process:
//
//	DIR/lock      locked while a daemon runs as this node
//	DIR/identity  distinguishes this node from another one with the same name
//	DIR/engine    the kind of engine that runs the node's games
//	DIR/…         the data of the process engine
type nodeDir struct {
	path     string
	identity string
	lock     *filelock.Lock
}

// openNodeDir creates the directory of the node below the data directory, if it does not
// exist, and locks it. Without a data directory the node gets an identity that lasts as
// long as the process.
func openNodeDir(dataDir, region, node string) (*nodeDir, error) {
	if dataDir == "" {
		return &nodeDir{identity: uuid.NewString()}, nil
	}
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dataDir, err)
	}
	d := &nodeDir{path: filepath.Join(dataDir, "nodes", url.PathEscape(region), url.PathEscape(node))}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return nil, fmt.Errorf("directory of node %s/%s: %w; choose another with --data-dir", region, node, err)
	}
	d.lock, err = filelock.Acquire(filepath.Join(d.path, "lock"), 0)
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("another daemon on this machine runs as node %s/%s; stop it, or choose another --node or --data-dir", region, node)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.path, err)
	}
	if d.identity, err = readIdentity(filepath.Join(d.path, "identity")); err != nil {
		return nil, errors.Join(fmt.Errorf("identity of node %s/%s: %w", region, node, err), d.close())
	}
	return d, nil
}

// readIdentity reads the identity, or creates one. It is written atomically: a part of an
// identity would be another identity.
func readIdentity(name string) (string, error) {
	text, err := os.ReadFile(name)
	if err == nil {
		if identity := strings.TrimSpace(string(text)); identity != "" {
			return identity, nil
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	identity := uuid.NewString()
	return identity, atomicfile.Write(name, []byte(identity+"\n"))
}

// engine returns the kind of engine that has run the node's games, empty if none has.
// Another engine does not find the containers of these games.
func (d *nodeDir) engine() (string, error) {
	if d.path == "" {
		return "", nil
	}
	text, err := os.ReadFile(filepath.Join(d.path, "engine"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("engine of the node: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// setEngine stores the kind of engine that runs the node's games.
func (d *nodeDir) setEngine(kind string) error {
	if d.path == "" {
		return nil
	}
	if err := atomicfile.Write(filepath.Join(d.path, "engine"), []byte(kind+"\n")); err != nil {
		return fmt.Errorf("engine of the node: %w", err)
	}
	return nil
}

func (d *nodeDir) close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Release()
}

package daemon

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strings"

	"github.com/google/uuid"

	"galaxy/rtmanager/internal/adapters/processengine"
	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/config"
	"galaxy/rtmanager/internal/domain/container"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/statedir"
	"galaxy/rtmanager/internal/workers/cleanup"
)

// nodeDir is the directory of one node on its machine, locked by this process:
//
//	DIR/lock      locked while a daemon runs as this node
//	DIR/identity  distinguishes this node from another one with the same name
//	DIR/name      the name of the node, if it was renamed; see nodeName
//	DIR/engine    the kind of engine that runs the node's games
//	DIR/tracked   the games whose state directory is deleted with them
//	DIR/…         the data of the process engine
type nodeDir struct {
	path     string
	identity string
	lock     *filelock.Lock

	name   nodeName
	stored nodeName // the name in the directory
	// replaced is the path of an unused directory of the same name; empty if there is none.
	replaced string
	// former is the identity of the node that is being renamed, if it has its own directory.
	former string
	// idle holds the other nodes of the data directory that no daemon runs.
	idle []node.Ref
}

// openNodeDir creates the directory of the node self below the data directory, if it does
// not exist, and locks it. It selects the directory of the former node, if one is given, as
// selectNodeDir does; the rename takes effect with commitName. Without a data directory the
// node gets an identity that lasts as long as the process.
func openNodeDir(dataDir string, self, former node.Ref) (*nodeDir, error) {
	if dataDir == "" {
		return &nodeDir{identity: uuid.NewString(), name: nodeName{Ref: self}}, nil
	}
	dataDir, err := filepath.Abs(dataDir)
	if err != nil {
		return nil, fmt.Errorf("data directory %s: %w", dataDir, err)
	}
	if target, err := os.Readlink(dataDir); err == nil {
		if _, err := os.Stat(dataDir); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("data directory %s is a symbolic link to %s, which does not exist; create that directory, or choose another with --data-dir", dataDir, target)
		}
	}
	root := filepath.Join(dataDir, "nodes")
	selected, err := selectNodeDir(root, self, former)
	if err != nil {
		return nil, err
	}
	d := &nodeDir{path: selected.path, name: selected.name, replaced: selected.replaced}
	for _, other := range selected.idle {
		d.idle = append(d.idle, other.name.Ref)
	}
	if err := os.MkdirAll(d.path, 0o700); err != nil {
		return nil, fmt.Errorf("directory of node %s: %w; choose another with --data-dir", self, err)
	}
	d.lock, err = filelock.Acquire(filepath.Join(d.path, "lock"), releaseTimeout)
	if errors.Is(err, filelock.ErrLocked) {
		return nil, fmt.Errorf("another daemon on this machine runs as node %s; stop it, or choose another --node or --data-dir", self)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", d.path, err)
	}
	if err := d.load(root, selected); err != nil {
		return nil, errors.Join(fmt.Errorf("directory of node %s: %w", self, err), d.close())
	}
	return d, nil
}

// load reads the stored name and the identities.
func (d *nodeDir) load(root string, selected nodeSelection) (err error) {
	self := d.name.Ref
	byPath := node.Ref{}
	if d.path == filepath.Join(root, url.PathEscape(self.Region), url.PathEscape(self.Name)) {
		byPath = self
	}
	if d.stored, err = readNodeName(d.path, byPath); err != nil {
		return err
	}
	if selected.former != nil {
		if d.former, err = readIdentity(selected.former.path); err != nil {
			return err
		}
	}
	// All nodes of a data directory have one identity: no game is rescheduled between them.
	identity := d.former
	for _, other := range selected.others {
		if identity == "" {
			identity, err = readIdentity(other.path)
		}
	}
	if err == nil {
		d.identity, err = ensureIdentity(d.path, identity)
	}
	return err
}

// commitName stores the name if it has changed. After that the node cannot start under its
// former name.
func (d *nodeDir) commitName() error {
	if d.path == "" || reflect.DeepEqual(d.name, d.stored) {
		return nil
	}
	if d.replaced != "" {
		if err := atomicfile.Rename(d.replaced, d.replaced+replacedMark+uuid.NewString()); err != nil {
			return fmt.Errorf("set the unused directory of node %s aside: %w", d.name.Ref, err)
		}
		d.replaced = ""
	}
	if err := d.name.write(d.path); err != nil {
		return err
	}
	d.stored = d.name
	return nil
}

// readIdentity returns the identity of the directory, empty if it has none.
func readIdentity(dir string) (string, error) {
	text, err := os.ReadFile(filepath.Join(dir, "identity"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	return strings.TrimSpace(string(text)), nil
}

// ensureIdentity returns the identity of the directory. It creates a missing one: the
// proposed one, or a new one if that is empty. It is written atomically: a part of an
// identity would be another identity.
func ensureIdentity(dir, proposed string) (string, error) {
	stored, err := readIdentity(dir)
	if err != nil || stored != "" {
		return stored, err
	}
	identity := cmp.Or(proposed, uuid.NewString())
	return identity, atomicfile.Write(filepath.Join(dir, "identity"), []byte(identity+"\n"))
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

// setEngine stores the kind of engine that runs the node's games. It writes the file only
// if it changes, so that a daemon starts on a full disk.
func (d *nodeDir) setEngine(kind string) error {
	if d.path == "" {
		return nil
	}
	if stored, err := d.engine(); err == nil && stored == kind {
		return nil
	}
	if err := atomicfile.Write(filepath.Join(d.path, "engine"), []byte(kind+"\n")); err != nil {
		return fmt.Errorf("engine of the node: %w", err)
	}
	return nil
}

// stateDirs returns the state directories of the engine's games; nil if they have none, or if
// there is no directory to track them in.
func (d *nodeDir) stateDirs(cfg config.Config, kind container.EngineKind) cleanup.StateDirs {
	path := cfg.DockerStateDir
	if kind == container.EngineKindProcess {
		path = filepath.Join(d.path, processengine.StateDirName)
	}
	if path == "" || d.path == "" {
		return nil
	}
	return statedir.Dirs{Path: path, TrackPath: filepath.Join(d.path, "tracked")}
}

func (d *nodeDir) close() error {
	if d.lock == nil {
		return nil
	}
	return d.lock.Release()
}

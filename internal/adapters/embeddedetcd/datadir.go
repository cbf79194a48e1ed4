package embeddedetcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"syscall"

	"go.etcd.io/etcd/server/v3/etcdserver"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/filelock"
)

// dataDir is a data directory whose lock this process holds:
//
//	DIR/lock          locked while a process uses DIR; contains its process id
//	DIR/cluster.json  the cluster that the data belongs to
//	DIR/etcd          the data of etcd
//	DIR/etcd.restore  the data of a restore that is not complete
//	DIR/ballast       space for a start on a full disk
type dataDir struct {
	path    string
	lock    *filelock.Lock
	cluster clusterInfo
	// isBallastReleased reports whether the disk was full when the directory was locked.
	isBallastReleased bool
	// initialCluster is the setting with which etcd starts as a member of an existing cluster;
	// empty if it has data or starts a new one.
	initialCluster string
}

// clusterInfo is the content of cluster.json.
type clusterInfo struct {
	Token string `json:"cluster_token"`
	// PeerURL is the URL that a single member advertised at its first start. It is part of
	// its identity and never changes. For a member of a cluster it is the URL that
	// the member advertises.
	PeerURL string `json:"peer_url"`
	// Bootstrapped reports whether the member has been ready at least once.
	Bootstrapped bool `json:"bootstrapped"`
	// ClientURL is the URL for clients that the member last advertised.
	ClientURL string `json:"client_url,omitempty"`
	clusterMember
}

// lockName is the name of the lock file.
const lockName = "lock"

func (d dataDir) etcdDir() string     { return filepath.Join(d.path, "etcd") }
func (d dataDir) restoreDir() string  { return filepath.Join(d.path, "etcd.restore") }
func (d dataDir) clusterFile() string { return filepath.Join(d.path, "cluster.json") }
func (d dataDir) ballastFile() string { return filepath.Join(d.path, "ballast") }

// lockDataDir creates the directory if necessary and locks it. The kernel releases the
// lock when the process dies.
func lockDataDir(path string) (dataDir, error) {
	unusable := func(err error) (dataDir, error) {
		return dataDir{}, dataDirError("data directory %s cannot be used: %w", path, err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return unusable(err)
	}
	if target, err := os.Readlink(path); err == nil {
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return unusable(fmt.Errorf("it is a symbolic link to %s, which does not exist; create that directory", target))
		}
	}
	if err := makePrivateDir(path); err != nil {
		return unusable(err)
	}
	isReleased := dataDir{path: path}.releaseBallast() // before the lock file, which needs space as well
	lock, err := filelock.Acquire(filepath.Join(path, lockName), 0)
	if errors.Is(err, filelock.ErrLocked) {
		return dataDir{}, dataDirError("data directory %s is in use: %w", path, err)
	}
	if err != nil {
		return unusable(err)
	}
	return dataDir{path: path, lock: lock, isBallastReleased: isReleased}, nil
}

// dataDirError returns a *ConfigError of the data directory.
func dataDirError(format string, args ...any) error {
	return &ConfigError{Field: FieldDataDir, Err: fmt.Errorf(format, args...)}
}

func (d dataDir) unlock() error { return d.lock.Release() }

// makePrivateDir creates the directory with mode 0700. It changes the mode of an
// existing directory only if the directory is empty, since it may contain other data;
// DIR/etcd is private in any case.
func makePrivateDir(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) > 0 {
		return err
	}
	// A mounted volume can belong to another user and still be writable.
	if err := os.Chmod(path, 0o700); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// load sets d.cluster from cluster.json. It reports false if the file does not exist, and
// fails if the directory belongs to a cluster with another token.
func (d *dataDir) load(token string) (exists bool, err error) {
	content, err := os.ReadFile(d.clusterFile())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if err := json.Unmarshal(content, &d.cluster); err != nil || d.cluster.Token == "" || d.cluster.PeerURL == "" {
		return false, dataDirError("data directory %s: cluster.json does not contain a cluster_token and a peer_url; restore it from a backup or use another directory", d.path)
	}
	if d.cluster.Token != token {
		return false, &ConfigError{Field: FieldClusterToken, Err: fmt.Errorf("data directory %s belongs to cluster %q, not %q", d.path, d.cluster.Token, token)}
	}
	return true, nil
}

// prepareSingle loads cluster.json for a member that is not part of a network cluster, or creates
// it with the peer URL.
func (d *dataDir) prepareSingle(token, peerURL string) error {
	exists, err := d.load(token)
	switch {
	case err != nil:
		return err
	case !exists:
		return d.createCluster(clusterInfo{Token: token, PeerURL: peerURL})
	case d.cluster.Removed:
		return d.removedError()
	}
	return d.requireNotJoining(nil)
}

// createCluster writes cluster.json. It does so before etcd writes data, so it returns
// an error if there is etcd data without cluster.json: another program wrote it.
func (d *dataDir) createCluster(c clusterInfo) error {
	hasEtcd, err := d.hasEtcd()
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if hasEtcd {
		return dataDirError("data directory %s contains etcd data but no cluster.json, so rtmanager did not create it", d.path)
	}
	return d.writeCluster(c)
}

// hasEtcd reports whether DIR/etcd has content.
func (d *dataDir) hasEtcd() (bool, error) {
	entries, err := os.ReadDir(d.etcdDir())
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return len(entries) > 0, err
}

// IsNew reports whether the directory has no data of etcd, so that Start would create a new
// cluster there.
func IsNew(path string) (bool, error) {
	d := dataDir{path: path}
	hasEtcd, err := d.hasEtcd()
	if err != nil || hasEtcd {
		return false, err
	}
	content, err := os.ReadFile(d.clusterFile())
	if errors.Is(err, fs.ErrNotExist) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	// Start reports a file that cannot be decoded.
	return json.Unmarshal(content, &d.cluster) == nil && !d.cluster.Bootstrapped, nil
}

// requireNoPartialRestore returns a *CorruptDataError if a restore was killed before the
// data was complete.
func (d *dataDir) requireNoPartialRestore() error {
	hasEtcd, err := d.hasEtcd()
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if _, err := os.Lstat(d.restoreDir()); err != nil || hasEtcd {
		return nil //nolint:nilerr // no restore was started
	}
	return &CorruptDataError{Dir: d.path, Path: d.restoreDir(), Err: errors.New("a restore was interrupted")}
}

// markBootstrapped records in cluster.json that the single member has been ready, so a later
// start keeps the data, and how a copy of the directory can find out whether the member runs.
func (d *dataDir) markBootstrapped(clientURL string, server *etcdserver.EtcdServer) error {
	c := d.cluster
	c.Bootstrapped, c.ClientURL = true, clientURL
	c.ClusterID, c.MemberID = hexID(server.Cluster().ID()), hexID(server.MemberID())
	if reflect.DeepEqual(c, d.cluster) {
		return nil
	}
	err := d.writeCluster(c)
	if errors.Is(err, syscall.ENOSPC) && d.cluster.Bootstrapped {
		return nil // the addresses are only for the check of a copy
	}
	return err
}

func (d *dataDir) writeCluster(c clusterInfo) error {
	content, err := json.MarshalIndent(c, "", "  ")
	if err != nil {
		return err
	}
	if err := atomicfile.Write(d.clusterFile(), append(content, '\n')); err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	d.cluster = c
	return nil
}

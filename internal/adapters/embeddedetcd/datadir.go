package embeddedetcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/filelock"
)

// dataDir is a data directory that this process holds the lock of:
//
//	DIR/lock          locked while a process uses DIR; holds its process id
//	DIR/cluster.json  which cluster the data belongs to
//	DIR/etcd          etcd's own data
type dataDir struct {
	path    string
	lock    *filelock.Lock
	cluster cluster
}

// cluster is the content of cluster.json.
type cluster struct {
	Token string `json:"cluster_token"`
	// PeerURL is what the member advertised when it was born, and does for ever.
	PeerURL string `json:"peer_url"`
	// Bootstrapped tells that the member has once been ready.
	Bootstrapped bool `json:"bootstrapped"`
}

func (d dataDir) etcdDir() string     { return filepath.Join(d.path, "etcd") }
func (d dataDir) clusterFile() string { return filepath.Join(d.path, "cluster.json") }

// lockDataDir creates the directory if need be and takes its lock, which the
// kernel drops when the process dies, however it dies.
func lockDataDir(path string) (dataDir, error) {
	refuse := func(err error) (dataDir, error) {
		return dataDir{}, fmt.Errorf("data directory %s cannot be used: %w; choose another with --data-dir", path, err)
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return refuse(err)
	}
	if err := makePrivate(path); err != nil {
		return refuse(err)
	}
	lock, err := filelock.Acquire(filepath.Join(path, "lock"), 0)
	var locked *filelock.LockedError
	if errors.As(err, &locked) {
		return dataDir{}, fmt.Errorf("data directory %s is in use by %s; stop it or use another --data-dir", path, locked.Holder)
	}
	if err != nil {
		return refuse(err)
	}
	return dataDir{path: path, lock: lock}, nil
}

func (d dataDir) unlock() error { return d.lock.Release() }

// makePrivate creates the directory for this user alone. One that somebody
// else has prepared keeps its mode unless it is empty, since it may hold more
// than our data; DIR/etcd is private in any case.
func makePrivate(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(path)
	if err != nil || len(entries) > 0 {
		return err
	}
	// A mounted volume may belong to another user and still be writable to us.
	if err := os.Chmod(path, 0o700); err != nil && !errors.Is(err, fs.ErrPermission) {
		return err
	}
	return nil
}

// joinCluster binds the directory to a cluster, or checks that it is already
// bound to the same one, and fills d.cluster. peerURL counts at the first time
// only.
func (d *dataDir) joinCluster(token, peerURL string) error {
	content, err := os.ReadFile(d.clusterFile())
	if errors.Is(err, fs.ErrNotExist) {
		return d.foundCluster(cluster{Token: token, PeerURL: peerURL})
	}
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if err := json.Unmarshal(content, &d.cluster); err != nil || d.cluster.Token == "" || d.cluster.PeerURL == "" {
		return fmt.Errorf("data directory %s: cluster.json does not name a cluster_token and a peer_url; restore it from a backup or use another --data-dir", d.path)
	}
	if d.cluster.Token != token {
		return fmt.Errorf("data directory %s belongs to cluster %q, not %q; use --etcd-cluster-token %s or another --data-dir",
			d.path, d.cluster.Token, token, d.cluster.Token)
	}
	return nil
}

// foundCluster writes cluster.json before etcd writes anything, so that data
// without it was never ours.
func (d *dataDir) foundCluster(c cluster) error {
	entries, err := os.ReadDir(d.etcdDir())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if len(entries) > 0 {
		return fmt.Errorf("data directory %s holds etcd data but no cluster.json, so it was not made by rtmanager; use another --data-dir", d.path)
	}
	return d.writeCluster(c)
}

// noteBootstrapped remembers that the member has been ready, which tells a
// later start that the data is whole.
func (d *dataDir) noteBootstrapped() error {
	if d.cluster.Bootstrapped {
		return nil
	}
	c := d.cluster
	c.Bootstrapped = true
	return d.writeCluster(c)
}

func (d *dataDir) writeCluster(c cluster) error {
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

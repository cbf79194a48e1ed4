package embeddedetcd

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/etcdcluster"
)

// RestoreOptions specify what a restore changes about the database that it copies.
type RestoreOptions struct {
	// Salt is part of the id of the new cluster. Another one gives another id, so that
	// members and clients of an earlier cluster use none of the new one. Empty keeps the id.
	Salt string
	// PeerURL is the address that the member of Restore advertises to other members. Default:
	// a loopback address, which a member that starts in a cluster replaces.
	PeerURL string
	// RevisionBump is added to the revision, and all older ones are compacted, so that no
	// revision that a client has seen is given to another change. 0 keeps the history.
	RevisionBump uint64
	// IsDatabase means that the file is the database of a stopped member. It does not end with
	// a checksum as a snapshot does.
	IsDatabase bool
	// Timing is that of the cluster in the database, with which a member of a cluster starts. It
	// can be read only once etcd runs.
	Timing etcdcluster.Timing
}

// Restore creates a data directory from a snapshot of etcd, for Start with the same Config.
// Of cfg it uses DataDir, ClusterToken and Logger. The directory must not exist,
// or contain nothing but the games of nodes.
//
// It verifies the checksum that the snapshot ends with. It returns a *ConfigError if the
// directory is in use, has content, or cannot be written. If it fails, it removes all that
// it has created. If it is killed, Start returns a *CorruptDataError until it is repeated.
func Restore(cfg Config, from string, options RestoreOptions) (err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	SetSegmentSize()
	path, err := filepath.Abs(cfg.DataDir)
	if err != nil {
		return dataDirError("data directory %s cannot be used: %w", cfg.DataDir, err)
	}
	missing := missingDirs(path)
	_, lockErr := os.Lstat(filepath.Join(path, lockName))
	defer func() {
		for _, dir := range missing {
			if err != nil {
				_ = os.Remove(dir) // unless another process uses it
			}
		}
	}()
	data, err := lockDataDir(path)
	if err != nil {
		return err
	}
	err = data.restore(from, cfg.ClusterToken, options)
	if err != nil && errors.Is(lockErr, fs.ErrNotExist) {
		return errors.Join(err, data.lock.Remove())
	}
	return errors.Join(err, data.unlock())
}

// RequireEmpty returns a *ConfigError if Restore could not use the directory.
func RequireEmpty(path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return (&dataDir{path: path}).requireNoEtcd()
}

// missingDirs returns the path and its parents that do not exist, the path first.
func missingDirs(path string) (missing []string) {
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
			return missing
		}
		missing = append(missing, path)
		path = filepath.Dir(path)
	}
}

// restore creates the data of etcd in restoreDir, which it renames when the data is complete.
func (d *dataDir) restore(from, token string, options RestoreOptions) error {
	if err := d.requireNoEtcd(); err != nil {
		return err
	}
	err := os.RemoveAll(d.restoreDir())
	target := RestoredMember{Name: MemberName, PeerURL: cmp.Or(options.PeerURL, DefaultPeerURL), Dir: d.restoreDir()}
	if err == nil {
		err = restoreMember(from, []RestoredMember{target}, 0, token, options)
	}
	if err == nil {
		info := clusterInfo{Token: token, PeerURL: target.PeerURL, Bootstrapped: true}
		info.Origin, info.Timing = originRestore, options.Timing
		err = d.install(info)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("restore the snapshot %s: %w", from, err), os.RemoveAll(d.restoreDir()))
	}
	return nil
}

// install makes the restored data that of the directory. cluster.json comes first: without
// the data, Start returns an error.
func (d *dataDir) install(c clusterInfo) error {
	if err := os.Remove(d.etcdDir()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := d.writeCluster(c); err != nil {
		return err
	}
	return atomicfile.Rename(d.restoreDir(), d.etcdDir())
}

// DefaultPeerURL is the peer URL of a restored member if RestoreOptions names none.
const DefaultPeerURL = "http://127.0.0.1:2380"

// requireNoEtcd returns a *ConfigError if the directory contains anything but the files of
// nodes, which a restore keeps, and what remains of an etcd without its data.
func (d *dataDir) requireNoEtcd() error {
	entries, err := os.ReadDir(d.path)
	if err != nil {
		return dataDirError("data directory %s cannot be used: %w", d.path, err)
	}
	hasEtcd, err := d.hasEtcd()
	if err != nil {
		return dataDirError("data directory %s cannot be used: %w", d.path, err)
	}
	kept := []string{lockName, "nodes", "images", filepath.Base(d.ballastFile()), filepath.Base(d.restoreDir())}
	if !hasEtcd {
		cluster := filepath.Base(d.clusterFile())
		kept = append(kept, filepath.Base(d.etcdDir()), cluster, cluster+".new")
	}
	for _, entry := range entries {
		if name := entry.Name(); !slices.Contains(kept, name) {
			return dataDirError("data directory %s is not empty: it contains %s; a snapshot is restored into an empty directory, so move its content away", d.path, name)
		}
	}
	return nil
}

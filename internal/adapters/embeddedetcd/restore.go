package embeddedetcd

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"galaxy/rtmanager/internal/atomicfile"
)

// revisionBump is added to the revisions of a restored database, so that no revision that
// a client has seen is given to another change.
const revisionBump = 1_000_000_000

// Restore creates a data directory from a snapshot of etcd, for Start with the same Config.
// Of cfg it uses DataDir, ClusterToken and Logger. The directory must not exist,
// or contain nothing but the games of nodes. Revisions of before the restore are compacted: watches and pages that continue
// there receive an error instead of another history.
//
// It verifies the checksum that the snapshot ends with. It returns a *ConfigError if the
// directory is in use, has content, or cannot be written. If it fails, it removes all that
// it has created. If it is killed, Start returns a *CorruptDataError until it is repeated.
func Restore(cfg Config, from string) (err error) {
	cfg = cfg.withDefaults()
	if err := cfg.validate(); err != nil {
		return err
	}
	if info, err := os.Stat(from); err != nil {
		return fmt.Errorf("snapshot: %w", err)
	} else if !info.Mode().IsRegular() {
		return fmt.Errorf("snapshot %s is not a file", from)
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
	err = data.restore(from, cfg.ClusterToken)
	if err != nil && errors.Is(lockErr, fs.ErrNotExist) {
		return errors.Join(err, data.lock.Remove())
	}
	return errors.Join(err, data.unlock())
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
func (d *dataDir) restore(from, token string) error {
	if err := d.requireNoEtcd(); err != nil {
		return err
	}
	err := os.RemoveAll(d.restoreDir())
	peerURL := peerURLOf(from)
	if err == nil {
		err = recoverFaults(func() error {
			logger := zap.NewNop().WithOptions(zap.WithFatalHook(zapcore.WriteThenPanic))
			return snapshot.NewV3(logger).Restore(snapshot.RestoreConfig{
				SnapshotPath: from, Name: MemberName, OutputDataDir: d.restoreDir(),
				PeerURLs: []string{peerURL}, InitialCluster: MemberName + "=" + peerURL, InitialClusterToken: token,
				RevisionBump: revisionBump, MarkCompacted: true,
			})
		})
	}
	if err == nil {
		err = d.install(clusterInfo{Token: token, PeerURL: peerURL, Bootstrapped: true})
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

// defaultPeerURL is the peer URL of a restored member whose snapshot names none.
const defaultPeerURL = "http://127.0.0.1:2380"

// peerURLOf returns the peer URL of the member that a snapshot was taken of. Its cluster id
// is derived from it: a restored member with the same one has the identity of the store, by
// which nodes find their containers. The member keeps the URL of its first start, even if it
// listens elsewhere later. It returns defaultPeerURL if the snapshot cannot be read, which
// the restore reports, or is of several members.
func peerURLOf(from string) string {
	peerURL := defaultPeerURL
	_ = recoverFaults(func() error {
		database, err := bbolt.Open(from, 0o400, &bbolt.Options{ReadOnly: true})
		if err != nil {
			return err
		}
		defer func() { _ = database.Close() }()
		return database.View(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket([]byte("members"))
			if bucket == nil {
				return nil
			}
			var urls []string
			err := bucket.ForEach(func(_, value []byte) error {
				var member struct {
					PeerURLs []string `json:"peerURLs"`
				}
				err := json.Unmarshal(value, &member)
				urls = append(urls, member.PeerURLs...)
				return err
			})
			if err == nil && len(urls) == 1 {
				peerURL = urls[0]
			}
			return err
		})
	})
	return peerURL
}

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

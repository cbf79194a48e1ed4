package backup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/filelock"
	"galaxy/rtmanager/internal/securefile"
)

// Copy is a temporary etcd in this process on a copy of a backup. It listens on sockets that
// only this user can open.
type Copy struct {
	// Manifest describes the backup. Without a manifest file it has the time of the file, and
	// neither the version nor the cluster.
	Manifest Manifest
	// HasNoManifest reports that the backup has no manifest file.
	HasNoManifest bool

	dir      string
	lock     *filelock.Lock // of the directory
	member   *embeddedetcd.Member
	revision int64
	// isAuthenticated reports whether the etcd of the backup authenticates requests. The
	// copy does not.
	isAuthenticated bool
}

// Open verifies the checksums of a backup and starts an etcd on a copy of it, in a temporary
// directory that Close removes. It returns an *InvalidError for a backup that was cut short or
// changed.
func Open(ctx context.Context, file string) (*Copy, error) {
	manifest, err := readManifest(file)
	if err != nil {
		return nil, err
	}
	if err := verifyFile(ctx, file, manifest); err != nil {
		return nil, err
	}
	c, err := open(ctx, file, 0)
	if err != nil {
		return nil, err
	}
	return c, c.describe(file, manifest)
}

// describe sets the manifest of the copy, which is nil if there is none. It closes the copy if
// it fails.
func (c *Copy) describe(file string, manifest *Manifest) error {
	if manifest != nil {
		c.Manifest = *manifest
		return nil
	}
	info, err := os.Stat(file)
	if err != nil {
		return errors.Join(err, c.Close())
	}
	c.HasNoManifest = true
	c.Manifest = Manifest{CreatedAt: info.ModTime().UTC(), Revision: c.revision, Bytes: info.Size()}
	return nil
}

// open starts an etcd on a copy of the file, whose revision it increases by revisionBump.
func open(ctx context.Context, file string, revisionBump uint64) (_ *Copy, err error) {
	removeStaleCopies()
	dir, err := os.MkdirTemp("", copyPrefix)
	if err != nil {
		return nil, fmt.Errorf("directory for the copy of the backup (TMPDIR selects another one): %w", err)
	}
	c := &Copy{dir: dir}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.Close())
		}
	}()
	if c.lock, err = filelock.Acquire(filepath.Join(dir, copyLock), 0); err != nil {
		return nil, err
	}
	cfg := embeddedetcd.Config{
		DataDir:         c.dataDir(),
		ListenClientURL: "unix://" + filepath.Join(dir, "etcd.sock"), ListenPeerURL: "unix://" + filepath.Join(dir, "peer.sock"),
		// Nothing is compacted while a reader looks at the copy.
		CompactionRetention: 365 * 24 * time.Hour, IsTemporary: true,
	}
	if err := embeddedetcd.Restore(cfg, file, embeddedetcd.RestoreOptions{RevisionBump: revisionBump}); err != nil {
		return nil, copyError(file, err)
	}
	if c.isAuthenticated, err = embeddedetcd.SetAuthentication(cfg.DataDir, false); err != nil {
		return nil, copyError(file, err)
	}
	if c.member, err = embeddedetcd.Start(ctx, cfg); err != nil {
		if ctx.Err() != nil {
			return nil, err
		}
		return nil, copyError(file, err)
	}
	resp, err := c.Client().Get(ctx, "revision", clientv3.WithCountOnly())
	if err != nil {
		return nil, fmt.Errorf("copy of the backup: %w", err)
	}
	c.revision = resp.Header.GetRevision()
	return c, nil
}

// copyError returns the error of a copy: an *InvalidError, unless the temporary directory is the
// cause.
func copyError(file string, err error) error {
	var invalid *embeddedetcd.ConfigError
	if errors.As(err, &invalid) || errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("copy of the backup in %s (TMPDIR selects another directory): %w", os.TempDir(), err)
	}
	return &InvalidError{file, err.Error()}
}

// Client returns a client of the copy.
func (c *Copy) Client() *clientv3.Client { return c.member.Client() }

func (c *Copy) dataDir() string { return filepath.Join(c.dir, "data") }

// Stores returns the prefixes of the stores in the copy. It fails if there are none.
func (c *Copy) Stores(ctx context.Context) ([]string, error) {
	prefixes, err := etcdstore.FindStores(ctx, c.Client())
	if err == nil && len(prefixes) == 0 {
		err = errors.New("the snapshot has no store of rtmanager")
	}
	return prefixes, err
}

// stop stops the etcd and keeps the directory.
func (c *Copy) stop() error {
	if c.member == nil {
		return nil
	}
	return c.member.Close()
}

// Close stops the etcd and removes its directory.
func (c *Copy) Close() error {
	err := errors.Join(c.stop(), os.RemoveAll(c.dir))
	if c.lock != nil {
		err = errors.Join(err, c.lock.Release())
	}
	return err
}

// The names of the temporary directories, and of the lock in each.
const (
	copyPrefix = "rtmanager-backup-"
	copyLock   = "copy.lock"
)

// removeStaleCopies removes the copies of processes that were killed.
func removeStaleCopies() {
	dirs, err := filepath.Glob(filepath.Join(os.TempDir(), copyPrefix+"*"))
	if err != nil {
		return
	}
	for _, dir := range dirs {
		if !isOwnCopy(dir) {
			continue
		}
		name := filepath.Join(dir, copyLock)
		if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() {
			continue // it was created just now
		}
		if lock, err := filelock.Acquire(name, 0); err == nil {
			_ = os.RemoveAll(dir)
			_ = lock.Release()
		}
	}
}

// isOwnCopy reports whether the directory can be that of a copy of this user. Another user could
// create one with a link in place of the lock, which this process would then overwrite.
func isOwnCopy(dir string) bool {
	info, err := os.Lstat(dir)
	if err != nil || !info.IsDir() || info.Mode().Perm()&0o077 != 0 {
		return false
	}
	_, isForeign := securefile.ForeignOwner(info)
	return !isForeign
}

package daemon

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/config"
)

// SaveSnapshot writes a snapshot of the first of cfg.EtcdEndpoints to a file, with the
// checksum that Restore verifies. The file appears only when it is complete; SaveSnapshot
// fails if it exists.
func SaveSnapshot(ctx context.Context, cfg config.Config, file string, logger *slog.Logger) (err error) {
	if _, err := os.Lstat(file); err == nil {
		return fmt.Errorf("%s exists already; choose another file", file)
	}
	cfg.EtcdEndpoints = cfg.EtcdEndpoints[:1] // a snapshot is of one member
	etcd, err := connect(ctx, cfg, logger)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, etcd.Close()) }()
	snapshot, err := etcd.Client.Snapshot(ctx)
	if err != nil {
		return fmt.Errorf("snapshot of etcd at %s: %w", etcd.URLs, err)
	}
	defer snapshot.Close()
	if err := writeSnapshot(file, snapshot); err != nil {
		return fmt.Errorf("snapshot of etcd at %s: %w", etcd.URLs, err)
	}
	return nil
}

// writeSnapshot copies a snapshot to a temporary file, syncs it, and gives it its name.
func writeSnapshot(file string, snapshot io.Reader) error {
	part := file + ".part"
	f, err := os.OpenFile(part, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	size, err := io.Copy(f, snapshot)
	// etcd sends pages of a multiple of 512 bytes, and then the checksum.
	if err == nil && size%512 != sha256.Size {
		err = fmt.Errorf("etcd sent %d bytes and no checksum", size)
	}
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part))
	}
	return nil
}

// Restore creates the data directory of the settings from a snapshot, for a daemon with an
// embedded etcd. The directory must be empty or not exist, except for the files of nodes.
// Revisions of before the restore are compacted.
func Restore(cfg config.Config, file string) error {
	return adviseFlags(embeddedetcd.Restore(embeddedetcd.Config{DataDir: cfg.DataDir, ClusterToken: cfg.EtcdClusterToken}, file))
}

package embeddedetcd

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"
)

// CorruptDataError reports files of the data directory from which etcd cannot start. The
// data has to be restored from a backup.
type CorruptDataError struct {
	// Dir is the data directory, and Path the corrupt file or directory in it.
	Dir, Path string
	// Err describes the corruption.
	Err error
}

func (e *CorruptDataError) Error() string {
	return fmt.Sprintf("data directory %s is corrupt: %s: %v; restore a backup into an empty directory", e.Dir, e.Path, e.Err)
}

func (e *CorruptDataError) Unwrap() error { return e.Err }

// verify reads the log and the database of a member that has been ready before, and
// returns a *CorruptDataError if etcd could not start from them. etcd itself would panic,
// receive SIGBUS on goroutines of its own, or wait for a leader forever.
//
// It also returns one if a restore is not complete. It reads as much as the start of etcd
// does: the log files, and the pages of the database that contain keys. ctx bounds it.
func (d dataDir) verify(ctx context.Context) error {
	if err := d.requireNoPartialRestore(); err != nil {
		return err
	}
	if !d.cluster.Bootstrapped {
		return nil
	}
	logDir := filepath.Join(d.etcdDir(), "member", "wal")
	database := filepath.Join(d.etcdDir(), "member", "snap", "db")
	var logged, applied uint64
	err := recoverFaults(func() (err error) {
		logged, err = readLog(logDir)
		return err
	})
	if err != nil {
		return d.corrupt(logDir, err)
	}
	err = recoverFaults(func() (err error) {
		applied, err = readDatabase(ctx, database)
		return err
	})
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return d.corrupt(database, err)
	case applied > logged:
		// etcd would wait for a leader forever.
		return d.corrupt(logDir, fmt.Errorf("its last entry is %d, but the database contains entry %d", logged, applied))
	}
	return nil
}

// corrupt returns the error of a file that cannot be used.
func (d dataDir) corrupt(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return dataDirError("data directory %s cannot be used: %w", d.path, err)
	}
	return &CorruptDataError{Dir: d.path, Path: path, Err: err}
}

// recoverFaults calls check and returns its panics as errors, also those of memory-mapped
// pages that the file does not have.
func recoverFaults(check func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if panicked := recover(); panicked != nil {
			err = fmt.Errorf("its content is invalid: %v", panicked)
		}
	}()
	return check()
}

// readLog checks the log files of the directory and their checksums, and returns the index of
// the last entry. A partial record at the end is what a crash leaves; etcd repairs it.
func readLog(dir string) (last uint64, err error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.wal"))
	if err != nil {
		return 0, err
	}
	if len(files) == 0 {
		return 0, errors.New("it contains no log of etcd")
	}
	for _, file := range files {
		info, err := os.Stat(file)
		if err != nil {
			return 0, err
		}
		if info.Size() == 0 {
			return 0, fmt.Errorf("%s is empty", filepath.Base(file))
		}
	}
	snapshots, err := wal.ValidSnapshotEntries(zap.NewNop(), dir)
	if err != nil {
		return 0, fmt.Errorf("%s or an earlier file: %w", filepath.Base(slices.Max(files)), err)
	}
	if len(snapshots) == 0 {
		return 0, fmt.Errorf("%s is incomplete", filepath.Base(slices.Max(files)))
	}
	newest := snapshots[len(snapshots)-1]
	reader, err := wal.OpenForRead(zap.NewNop(), dir, newest)
	if err != nil {
		return 0, err
	}
	_, _, entries, err := reader.ReadAll()
	_ = reader.Close() // ReadAll has closed its files
	if err != nil {
		return 0, err
	}
	if len(entries) == 0 {
		return newest.GetIndex(), nil
	}
	return entries[len(entries)-1].GetIndex(), nil
}

// readLogIdentity returns the member and the cluster that the log was created for.
func readLogIdentity(dir string) (memberID, clusterID uint64, err error) {
	snapshots, err := wal.ValidSnapshotEntries(zap.NewNop(), dir)
	if err != nil {
		return 0, 0, err
	}
	if len(snapshots) == 0 {
		return 0, 0, errors.New("it is incomplete")
	}
	reader, err := wal.OpenForRead(zap.NewNop(), dir, snapshots[len(snapshots)-1])
	if err != nil {
		return 0, 0, err
	}
	metadata, _, _, err := reader.ReadAll()
	_ = reader.Close() // ReadAll has closed its files
	if err != nil {
		return 0, 0, err
	}
	var identity etcdserverpb.Metadata
	if err := proto.Unmarshal(metadata, &identity); err != nil {
		return 0, 0, err
	}
	return identity.GetNodeID(), identity.GetClusterID(), nil
}

// readDatabase checks that the file is a whole database and walks all its keys. It returns
// the index of the last log entry that the database contains.
func readDatabase(ctx context.Context, path string) (applied uint64, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return 0, err
	}
	if info.Size() == 0 {
		return 0, errors.New("it is empty")
	}
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		return 0, err
	}
	defer func() { _ = db.Close() }()
	err = db.View(func(tx *bbolt.Tx) error {
		if info.Size() < tx.Size() {
			return fmt.Errorf("it has %d bytes instead of at least %d", info.Size(), tx.Size())
		}
		for _, name := range []string{"meta", "key", "cluster", "members"} {
			if tx.Bucket([]byte(name)) == nil {
				return fmt.Errorf("it has no bucket %q, so it is not a database of etcd", name)
			}
		}
		if index := tx.Bucket(schema.Meta.Name()).Get(schema.MetaConsistentIndexKeyName); len(index) == 8 {
			applied = binary.BigEndian.Uint64(index)
		}
		return tx.ForEach(func(_ []byte, bucket *bbolt.Bucket) error { return walkKeys(ctx, bucket) })
	})
	return applied, err
}

// walkKeys reads each page with keys of a bucket. bbolt panics on a page of another type.
func walkKeys(ctx context.Context, bucket *bbolt.Bucket) error {
	cursor := bucket.Cursor()
	count := 0
	for key, _ := cursor.First(); key != nil; key, _ = cursor.Next() {
		if count++; count%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

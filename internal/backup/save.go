package backup

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/atomicfile"
	"galaxy/rtmanager/internal/ports"
	"galaxy/rtmanager/internal/storecheck"
)

// SaveOptions describe the maker of a backup.
type SaveOptions struct {
	// Version is that of this program.
	Version string
	// Schedule is that of Manifest.
	Schedule string
	// Now returns the time; default time.Now.
	Now func() time.Time
	// Verifier is the command that verifies a backup and prints its manifest as JSON, without
	// the file. Empty verifies in this process.
	Verifier []string
}

// Save saves a snapshot of the etcd of the client to the file, and its manifest next to it. The
// file appears only when it is complete and verified: Save opens the copy and runs fsck on each
// store in it. Daemons continue to run meanwhile.
//
// A store with inconsistencies is saved as well; the manifest counts them. Save fails if the
// file or its manifest exists, if etcd does not respond, and if the copy cannot be opened.
func Save(ctx context.Context, client *clientv3.Client, file string, options SaveOptions) (Manifest, error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	for _, name := range []string{file, ManifestFile(file)} {
		if _, err := os.Lstat(name); !errors.Is(err, fs.ErrNotExist) {
			return Manifest{}, errors.Join(fmt.Errorf("%s exists already; choose another file", name), err)
		}
	}
	manifest := Manifest{Format: manifestFormat, CreatedAt: options.Now().UTC(), Version: options.Version, Schedule: options.Schedule}
	part, err := manifest.saveSnapshot(ctx, client, file)
	if err != nil {
		return Manifest{}, err
	}
	err = manifest.verifySaved(ctx, part, options.Verifier)
	if err == nil {
		err = manifest.publish(part, file)
	}
	if err != nil {
		return Manifest{}, errors.Join(err, os.Remove(part))
	}
	return manifest, nil
}

// partSuffix ends the name of a backup that is not complete.
const partSuffix = ".part"

// saveSnapshot writes the snapshot to a new file next to the file, and syncs it. If it fails, it
// removes the new file.
func (m *Manifest) saveSnapshot(ctx context.Context, client *clientv3.Client, file string) (part string, err error) {
	// The name cannot be predicted: in a directory of several users another one could put a
	// link or a readable file there. Nor do two processes write one file.
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*"+partSuffix)
	if err != nil {
		return "", err
	}
	part = f.Name()
	// A member without a leader serves a serializable read and a snapshot.
	local, err := client.Get(ctx, "revision", clientv3.WithCountOnly(), clientv3.WithSerializable())
	var snapshot *clientv3.SnapshotResponse
	if err == nil {
		m.ClusterID = strconv.FormatUint(local.Header.GetClusterId(), 16)
		snapshot, err = client.SnapshotWithVersion(ctx)
	}
	if err == nil {
		m.Bytes, err = io.Copy(f, snapshot.Snapshot)
		err = errors.Join(err, snapshot.Snapshot.Close(), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(fmt.Errorf("snapshot of etcd: %w", err), os.Remove(part))
	}
	return part, nil
}

// verifySaved opens the copy, and sets what the manifest reports about it.
func (m *Manifest) verifySaved(ctx context.Context, part string, verifier []string) (err error) {
	sums, err := readChecksums(ctx, part)
	if err != nil {
		return err
	}
	m.SHA256 = hex.EncodeToString(sums.file[:])
	var verified Manifest
	if len(verifier) > 0 {
		verified, err = runVerifier(ctx, verifier, part)
	} else {
		verified, _, err = Verify(ctx, part)
	}
	m.Revision, m.Stores = verified.Revision, verified.Stores
	return err
}

// publish gives the backup its name. The manifest comes first: a backup that exists is complete.
// It fails if another process has published one under this name in the meantime.
func (m *Manifest) publish(part, file string) error {
	content, err := encodeManifest(*m)
	if err != nil {
		return err
	}
	f, err := os.OpenFile(ManifestFile(file), os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = atomicfile.Rename(part, file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(ManifestFile(file)))
	}
	return nil
}

// CheckedStore is the result of fsck on one store of a copy.
type CheckedStore struct {
	StoreReport

	Report ports.CheckReport
}

// Check runs fsck on each store of the copy.
func (c *Copy) Check(ctx context.Context) (checked []CheckedStore, err error) {
	prefixes, err := c.Stores(ctx)
	if err != nil {
		return nil, err
	}
	for _, prefix := range prefixes {
		report, err := checkStore(ctx, c.Client(), prefix)
		if err != nil {
			return nil, fmt.Errorf("fsck of the copy: store at %q: %w", prefix+"/", err)
		}
		checked = append(checked, CheckedStore{StoreReport{
			Prefix: prefix, Records: report.Records, IndexKeys: report.IndexKeys, LedgerEntries: report.LedgerEntries, Findings: len(report.Findings),
		}, report})
	}
	return checked, nil
}

func checkStore(ctx context.Context, client *clientv3.Client, prefix string) (ports.CheckReport, error) {
	store, err := etcdstore.Open(ctx, client, etcdstore.Options{
		Prefix: prefix, NoCache: true, OperationTimeout: time.Minute, Families: storecheck.Families(prefix),
	})
	if err != nil {
		return ports.CheckReport{}, err
	}
	report, err := store.Check(ctx, false)
	return report, errors.Join(err, store.Close())
}

// Verify verifies a backup: its checksums, that etcd opens it, and its stores by fsck.
func Verify(ctx context.Context, file string) (Manifest, []CheckedStore, error) {
	copied, err := Open(ctx, file)
	if err != nil {
		return Manifest{}, nil, err
	}
	checked, err := copied.Check(ctx)
	manifest := copied.Manifest
	manifest.Stores = nil
	for _, c := range checked {
		manifest.Stores = append(manifest.Stores, c.StoreReport)
	}
	return manifest, checked, errors.Join(err, copied.Close())
}

// DefaultName returns the name of a backup that was made at the time, in a directory.
func DefaultName(dir string, at time.Time) string {
	return filepath.Join(dir, "rtmanager-"+at.UTC().Format("20060102T150405Z")+".snapshot")
}

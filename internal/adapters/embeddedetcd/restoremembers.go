package embeddedetcd

import (
	"crypto/sha1" //nolint:gosec // of an id
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.etcd.io/bbolt"
	"go.etcd.io/etcd/client/pkg/v3/types"
	"go.etcd.io/etcd/etcdutl/v3/snapshot"
	"go.etcd.io/etcd/server/v3/etcdserver/api/membership"
	"go.etcd.io/etcd/server/v3/storage/schema"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// RestoredMember is a member of the cluster that a restore creates.
type RestoredMember struct {
	// Name and PeerURL are the --name and --initial-advertise-peer-urls of the member.
	Name, PeerURL string
	// Dir is its data directory, which must not exist or be empty.
	Dir string
}

// RestoreMembers creates the data directory of each member of an external etcd, all with the
// same content. If it fails, it removes the directories.
func RestoreMembers(from string, members []RestoredMember, token string, options RestoreOptions) error {
	for _, m := range members {
		entries, err := os.ReadDir(m.Dir)
		if err == nil && len(entries) > 0 {
			return fmt.Errorf("data directory %s is not empty: it contains %s; a snapshot is restored into an empty directory, so move its content away", m.Dir, entries[0].Name())
		}
	}
	for i, m := range members {
		if err := restoreMember(from, members, i, token, options); err != nil {
			for _, created := range members[:i+1] {
				_ = os.RemoveAll(created.Dir)
			}
			return fmt.Errorf("restore the snapshot %s for member %s: %w", from, m.Name, err)
		}
	}
	return nil
}

// restoreMember creates the data directory of members[index].
func restoreMember(from string, members []RestoredMember, index int, token string, options RestoreOptions) error {
	return recoverFaults(func() error {
		logger := zap.NewNop().WithOptions(zap.WithFatalHook(zapcore.WriteThenPanic))
		return snapshot.NewV3(logger).Restore(snapshot.RestoreConfig{
			SnapshotPath: from, Name: members[index].Name, OutputDataDir: members[index].Dir, PeerURLs: []string{members[index].PeerURL},
			InitialCluster: initialCluster(members), InitialClusterToken: token + options.Salt, SkipHashCheck: options.IsDatabase,
			RevisionBump: options.RevisionBump, MarkCompacted: options.RevisionBump > 0,
		})
	})
}

func initialCluster(members []RestoredMember) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = m.Name + "=" + m.PeerURL
	}
	return strings.Join(parts, ",")
}

// RestoredClusterID returns the id of the cluster that a restore of these members creates with
// the token and the salt.
func RestoredClusterID(members []RestoredMember, token, salt string) (uint64, error) {
	urls, err := types.NewURLsMap(initialCluster(members))
	if err != nil {
		return 0, err
	}
	cluster, err := membership.NewClusterFromURLsMap(zap.NewNop(), token+salt, urls)
	if err != nil {
		return 0, err
	}
	return uint64(cluster.ID()), nil
}

// SnapshotMember is a member of the cluster that a snapshot was taken of.
type SnapshotMember struct {
	ID         uint64   `json:"id"`
	Name       string   `json:"name"`
	PeerURLs   []string `json:"peerURLs"`
	ClientURLs []string `json:"clientURLs"`
	IsLearner  bool     `json:"isLearner,omitempty"`
}

// ReadMembers returns the members of the cluster that a snapshot was taken of.
func ReadMembers(from string) (members []SnapshotMember, err error) {
	err = viewDatabase(from, func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(schema.Members.Name())
		if bucket == nil {
			return nil
		}
		return bucket.ForEach(func(_, value []byte) error {
			var m SnapshotMember
			if err := json.Unmarshal(value, &m); err != nil {
				return err
			}
			members = append(members, m)
			return nil
		})
	})
	return members, err
}

// ReadRevision returns the revision of a snapshot.
func ReadRevision(from string) (revision int64, err error) {
	err = viewDatabase(from, func(tx *bbolt.Tx) error {
		if bucket := tx.Bucket(schema.Key.Name()); bucket != nil {
			// The keys of the bucket are revisions, in their order.
			if last, _ := bucket.Cursor().Last(); len(last) >= 8 {
				revision = int64(binary.BigEndian.Uint64(last))
			}
		}
		return nil
	})
	return revision, err
}

// ComputeClusterID returns the id of a cluster that was started with these members. etcd
// computes it from their ids, and keeps it when members are added and removed.
func ComputeClusterID(members []SnapshotMember) uint64 {
	ids := make([]uint64, len(members))
	for i, m := range members {
		ids[i] = m.ID
	}
	slices.Sort(ids)
	var content []byte
	for _, id := range ids {
		content = binary.BigEndian.AppendUint64(content, id)
	}
	sum := sha1.Sum(content) //nolint:gosec // as etcd computes it
	return binary.BigEndian.Uint64(sum[:8])
}

// viewDatabase calls view with a read-only transaction of a snapshot or database.
func viewDatabase(path string, view func(*bbolt.Tx) error) error {
	return recoverFaults(func() error {
		database, err := bbolt.Open(path, 0o400, &bbolt.Options{ReadOnly: true})
		if err != nil {
			return err
		}
		defer func() { _ = database.Close() }()
		return database.View(view)
	})
}

// Database returns the path of the database of a stopped member.
func Database(dataDir string) string {
	return filepath.Join(dataDir, "etcd", "member", "snap", "db")
}

// SetAuthentication turns the authentication of etcd on or off in the data directory of a
// stopped member, and reports whether it was on.
func SetAuthentication(dataDir string, isOn bool) (wasOn bool, err error) {
	value := []byte{0}
	if isOn {
		value = []byte{1}
	}
	err = recoverFaults(func() error {
		database, err := bbolt.Open(Database(dataDir), 0o600, nil)
		if err != nil {
			return err
		}
		defer func() { _ = database.Close() }()
		return database.Update(func(tx *bbolt.Tx) error {
			bucket := tx.Bucket(schema.Auth.Name())
			if bucket == nil {
				return nil
			}
			stored := bucket.Get(schema.AuthEnabledKeyName)
			wasOn = len(stored) == 1 && stored[0] == 1
			if wasOn == isOn {
				return nil
			}
			return bucket.Put(schema.AuthEnabledKeyName, value)
		})
	})
	return wasOn, err
}

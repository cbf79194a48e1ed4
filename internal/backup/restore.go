package backup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/etcd/api/v3/etcdserverpb"
	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/adapters/embeddedetcd"
	"galaxy/rtmanager/internal/adapters/etcdmembers"
	"galaxy/rtmanager/internal/adapters/etcdstore"
	"galaxy/rtmanager/internal/etcdcluster"
)

// minRevisionBump is the least number by which a restore increases the revision.
const minRevisionBump = 1_000_000_000

// Member is a member of an external etcd that a restore creates a data directory for.
type Member = embeddedetcd.RestoredMember

// RestoreOptions name where a restore creates data directories. Either DataDir or Members is set.
type RestoreOptions struct {
	// DataDir is the data directory of a daemon with an embedded etcd. It must not exist,
	// or contain nothing but the games of nodes.
	DataDir string
	// Members are those of an external etcd.
	Members []Member
	// ClusterToken names the cluster of the data; default "rtmanager".
	ClusterToken string
	// IgnoreLive restores although members of the cluster of the backup still respond.
	IgnoreLive bool
	// TLS returns the configuration for connections to a host of these members.
	TLS func(host string) *tls.Config
	// Now returns the time; default time.Now.
	Now func() time.Time
}

// Restored describes the result of a restore.
type Restored struct {
	// Manifest and HasNoManifest are those of the Copy.
	Manifest      Manifest
	HasNoManifest bool
	Stores        []CheckedStore
	// ID identifies the restore; each store contains it.
	ID string
	// Revision is that of the new cluster. All older ones are compacted.
	Revision int64
	// ClusterID is the id of the new cluster.
	ClusterID uint64
}

// Restore creates data directories from a backup, after it has verified it as Open and Check do.
//
// The new cluster has another id than every earlier one, so that its members exchange nothing
// with members of before, and daemons of before notice the restore. Its revision is higher
// than every one that was issued before, and all older ones are compacted: watches, pages and
// writes that continue there get an error. Its stores have no present nodes and no leaders, so
// that no fence of before is valid.
//
// Restore returns a *LiveError if members of the cluster of the backup still respond, an
// *InvalidError for a backup that was cut short or changed, and a *embeddedetcd.ConfigError for
// a directory that is in use or has content. It leaves nothing if it fails.
func Restore(ctx context.Context, file string, options RestoreOptions) (result Restored, err error) {
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.DataDir != "" {
		if err := embeddedetcd.RequireEmpty(options.DataDir); err != nil {
			return result, err
		}
	}
	manifest, err := readManifest(file)
	if err != nil {
		return result, err
	}
	if err := verifyFile(ctx, file, manifest); err != nil {
		return result, err
	}
	former, err := embeddedetcd.ReadMembers(file)
	if err != nil {
		return result, &InvalidError{file, err.Error()}
	}
	if !options.IgnoreLive {
		if err := requireNoneLive(ctx, former, options.TLS); err != nil {
			return result, err
		}
	}
	// All changes of the copy have revisions that no client has seen.
	revision, err := embeddedetcd.ReadRevision(file)
	if err != nil {
		return result, &InvalidError{file, err.Error()}
	}
	c, err := open(ctx, file, uint64(max(minRevisionBump, revisionFloor(options.Now())-revision)))
	if err != nil {
		return result, err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	if err := c.describe(file, manifest); err != nil {
		return result, err
	}
	if c.HasNoManifest {
		c.Manifest.Revision = revision
	}
	result.Manifest, result.HasNoManifest, result.ID = c.Manifest, c.HasNoManifest, uuid.NewString()
	if result.Stores, err = c.Check(ctx); err != nil {
		return result, err
	}
	target := newRestoreTarget(options, former, "-"+result.ID)
	if result.ClusterID, err = target.clusterID(); err != nil {
		return result, fmt.Errorf("members of the restored etcd: %w", err)
	}
	if target.options.Timing, err = etcdcluster.LoadTiming(ctx, c.Client()); err != nil {
		return result, fmt.Errorf("timing of the cluster of the backup: %w", err)
	}
	if result.Revision, err = c.prepareRestore(ctx, options.Now(), result, formerCluster(c.Manifest, former)); err != nil {
		return result, fmt.Errorf("prepare the copy of the backup: %w", err)
	}
	return result, target.create(embeddedetcd.Database(c.dataDir()))
}

// revisionFloor returns a revision for a restore at the time. A later restore of the same
// backup must not issue revisions that an earlier one has issued, so they increase with time:
// by ten thousand in a second, more than an etcd issues.
func revisionFloor(now time.Time) int64 { return max(0, now.UnixMilli()) * 10 }

// prepareRestore changes the stores of the copy for their life in another cluster, and stops
// its etcd. It returns the revision of the copy.
func (c *Copy) prepareRestore(ctx context.Context, now time.Time, result Restored, formerCluster uint64) (int64, error) {
	client := c.Client()
	// At its space quota etcd rejects writes until the alarm is disarmed.
	if _, err := client.AlarmDisarm(ctx, (*clientv3.AlarmMember)(&etcdserverpb.AlarmMember{})); err != nil {
		return 0, err
	}
	if err := etcdcluster.DeleteIdentity(ctx, client); err != nil {
		return 0, err
	}
	for _, store := range result.Stores {
		if err := etcdmembers.RemovePresence(ctx, client, store.Prefix); err != nil {
			return 0, err
		}
		err := etcdstore.MarkRestored(ctx, client, store.Prefix, etcdstore.Restoration{
			ID: result.ID, At: now.UTC(), ClusterID: result.ClusterID, FormerCluster: formerCluster,
		})
		if err != nil {
			return 0, err
		}
	}
	last, err := client.Get(ctx, "revision", clientv3.WithCountOnly())
	if err != nil {
		return 0, err
	}
	if err := c.stop(); err != nil {
		return 0, err
	}
	_, err = embeddedetcd.SetAuthentication(c.dataDir(), c.isAuthenticated)
	return last.Header.GetRevision(), err
}

// formerCluster returns the id of the cluster of the backup. Snapshots do not contain it: without
// a manifest it is computed, which is right unless the members have changed since the first start.
func formerCluster(m Manifest, members []embeddedetcd.SnapshotMember) uint64 {
	if id, err := strconv.ParseUint(m.ClusterID, 16, 64); err == nil && id != 0 {
		return id
	}
	return embeddedetcd.ComputeClusterID(members)
}

// restoreTarget is what a restore creates.
type restoreTarget struct {
	members []embeddedetcd.RestoredMember
	cfg     embeddedetcd.Config // of an embedded member
	options embeddedetcd.RestoreOptions
}

func newRestoreTarget(options RestoreOptions, former []embeddedetcd.SnapshotMember, salt string) restoreTarget {
	t := restoreTarget{
		members: options.Members, options: embeddedetcd.RestoreOptions{Salt: salt, IsDatabase: true},
		cfg: embeddedetcd.Config{DataDir: options.DataDir, ClusterToken: options.ClusterToken},
	}
	if t.cfg.ClusterToken == "" {
		t.cfg.ClusterToken = "rtmanager"
	}
	if options.DataDir == "" {
		return t
	}
	t.options.PeerURL = embeddedetcd.DefaultPeerURL
	if len(former) == 1 && len(former[0].PeerURLs) == 1 {
		t.options.PeerURL = former[0].PeerURLs[0]
	}
	t.members = []embeddedetcd.RestoredMember{{Name: embeddedetcd.MemberName, PeerURL: t.options.PeerURL}}
	return t
}

func (t restoreTarget) clusterID() (uint64, error) {
	return embeddedetcd.RestoredClusterID(t.members, t.cfg.ClusterToken, t.options.Salt)
}

// create creates the data directories from a database.
func (t restoreTarget) create(database string) error {
	if t.cfg.DataDir != "" {
		return embeddedetcd.Restore(t.cfg, database, t.options)
	}
	return embeddedetcd.RestoreMembers(database, t.members, t.cfg.ClusterToken, t.options)
}

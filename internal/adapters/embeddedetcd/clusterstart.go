package embeddedetcd

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"galaxy/rtmanager/internal/etcdcluster"
)

// prepareCluster makes the data directory ready for the start of a member of a cluster: it
// joins a cluster, prepares a new one, or checks that the member that the directory belongs to
// may start.
func (m *Member) prepareCluster(ctx context.Context, cfg Config, at addresses) error {
	d := &m.data
	exists, err := d.load(cfg.ClusterToken)
	if err != nil {
		return err
	}
	if err := cmp.Or(cfg.ClientTLS.certify(at.advertisedClient), cfg.PeerTLS.certify(at.advertisedPeer)); err != nil {
		return err
	}
	if exists {
		if err := d.requireOrigin(cfg.Cluster); err != nil {
			return err
		}
	}
	switch {
	case d.cluster.Removed:
		return d.removedError()
	case d.cluster.Bootstrapped:
		return m.checkMember(ctx, cfg, at)
	case len(cfg.Cluster.Join) > 0:
		if err := d.requireNoOtherData(exists); err != nil {
			return err
		}
		return m.join(ctx, cfg, at)
	default:
		return m.initialize(ctx, cfg, at, exists)
	}
}

// requireOrigin returns an error if the directory did not get its data as cfg requires.
func (d *dataDir) requireOrigin(cfg *Cluster) error {
	info := d.cluster
	switch {
	case cfg.Init && info.Origin == originJoin && info.Bootstrapped:
		return &ConfigError{Field: FieldInit, Err: fmt.Errorf("data directory %s belongs to member %s, which has joined cluster %x; a cluster is started once, by its first member", d.path, info.label(), uint64(info.ClusterID))}
	case len(cfg.Join) > 0 && info.Bootstrapped && info.Origin != originJoin && info.Origin != originRestore:
		return &ConfigError{Field: FieldJoin, Err: fmt.Errorf("data directory %s has records of its own: %s; a member that joins gets those of the cluster, so it needs a new directory", d.path, info.describeOrigin())}
	}
	if err := d.requireNotJoining(cfg); err != nil {
		return err
	}
	if info.Name == "" || info.Name == cfg.Name || info.Name == cfg.FormerName {
		return nil
	}
	return &ConfigError{Field: FieldMemberName, Err: fmt.Errorf("data directory %s belongs to member %s, not %s; a copy of the directory of another member cannot be used: each member has its own", d.path, info.Name, cfg.Name)}
}

// describeOrigin describes how the directory got its data.
func (c clusterInfo) describeOrigin() string {
	if c.Origin == originInit {
		return fmt.Sprintf("its member %s has started cluster %x", c.label(), uint64(c.ClusterID))
	}
	return "it belongs to a single member"
}

// requireNotJoining returns an error if the directory is that of a join that is not complete, and
// cfg does not continue it.
func (d *dataDir) requireNotJoining(cfg *Cluster) error {
	if d.cluster.Origin != originJoin || d.cluster.Bootstrapped && cfg != nil {
		return nil
	}
	if d.cluster.Bootstrapped {
		return &ConfigError{Field: FieldJoin, Err: fmt.Errorf("data directory %s belongs to member %s of cluster %x; start it with its addresses of the network", d.path, d.cluster.label(), uint64(d.cluster.ClusterID))}
	}
	if cfg != nil && len(cfg.Join) > 0 {
		return nil
	}
	return &ConfigError{Field: FieldJoin, Err: fmt.Errorf("data directory %s: the join of member %s is not complete; name members of the cluster to complete it", d.path, d.cluster.label())}
}

// requireNoOtherData returns an error if the directory has data of etcd that a join must not
// remove.
func (d *dataDir) requireNoOtherData(exists bool) error {
	if !exists {
		return d.requireNoForeignEtcd()
	}
	if d.cluster.Origin == originJoin {
		return nil
	}
	if err := d.removeIncompleteBootstrap(); err != nil {
		return err
	}
	hasEtcd, err := d.hasEtcd()
	if err == nil && hasEtcd {
		err = &ConfigError{Field: FieldJoin, Err: fmt.Errorf("data directory %s has records of its own; a member that joins needs a new directory", d.path)}
	}
	return err
}

// removedError returns the error of a member that was removed from its cluster.
func (d *dataDir) removedError() error {
	return &RemovedError{
		Name: d.cluster.label(), ID: uint64(d.cluster.MemberID), Dir: d.path, EtcdDir: d.etcdDir(), ClusterFile: d.clusterFile(),
	}
}

// initialize prepares the directory of the first member of a new cluster.
func (m *Member) initialize(ctx context.Context, cfg Config, at addresses, exists bool) error {
	d := &m.data
	if !exists {
		if err := d.requireNoForeignEtcd(); err != nil {
			return err
		}
	}
	if err := d.removeIncompleteBootstrap(); err != nil {
		return err
	}
	if hasEtcd, err := d.hasEtcd(); err != nil || hasEtcd {
		return err // a member that was ready, and was killed before cluster.json was written
	}
	if err := requireNoPeers(ctx, cfg, at); err != nil {
		return err
	}
	c := clusterInfo{Token: cfg.ClusterToken, PeerURL: at.advertisedPeer.String(), ClientURL: at.advertisedClient.String()}
	c.Origin, c.Name, c.BootstrapID = originInit, cfg.Cluster.Name, rand.Text()
	c.Timing = etcdcluster.TimingFor(cfg.Cluster.RoundTrip)
	return d.writeCluster(c)
}

// checkMember checks that the member of the directory may start: that its data is that of the member
// that cluster.json names, and that no other process runs it from a copy of the directory.
// Members that do not respond are skipped: after a loss of power no other member runs.
func (m *Member) checkMember(ctx context.Context, cfg Config, at addresses) error {
	d := &m.data
	if err := d.checkLogIdentity(); err != nil {
		return err
	}
	c := d.cluster
	if c.Origin == "" {
		c.Origin = originInit // a single member that becomes the first of a cluster
		c.Timing = etcdcluster.TimingFor(cfg.Cluster.RoundTrip)
	}
	c.Name = cfg.Cluster.Name
	if err := m.checkAddress(ctx, cfg, at); err != nil {
		return err
	}
	if err := d.requireNoSecondRestore(ctx, cfg); err != nil {
		return err
	}
	return d.writeCluster(c)
}

// requireNoSecondRestore returns an error for a restored directory if the members that cfg joins
// form another cluster. Both would have the same records, and run the same games.
func (d *dataDir) requireNoSecondRestore(ctx context.Context, cfg Config) error {
	if d.cluster.Origin != originRestore || len(cfg.Cluster.Join) == 0 {
		return nil
	}
	_, clusterID, err := d.readIdentity()
	if err != nil {
		return nil // verify reports a corrupt log
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	for _, url := range cfg.Cluster.Join {
		members, err := localListOf(ctx, cfg, url)
		if err == nil && members.ClusterID != clusterID {
			return &ConfigError{Field: FieldJoin, Err: fmt.Errorf("data directory %s was restored from a backup as cluster %x, but the member at %s is of cluster %x: restore one member only; "+
				"to join that cluster, remove %s and %s and nothing else", d.path, clusterID, url, members.ClusterID, d.etcdDir(), d.clusterFile())}
		}
	}
	return nil
}

// readIdentity returns the member and the cluster of the log of etcd.
func (d *dataDir) readIdentity() (memberID, clusterID uint64, err error) {
	err = recoverFaults(func() (err error) {
		memberID, clusterID, err = readLogIdentity(filepath.Join(d.etcdDir(), "member", "wal"))
		return err
	})
	return memberID, clusterID, err
}

// checkLogIdentity returns an error if the log of etcd is not that of the member of cluster.json.
func (d *dataDir) checkLogIdentity() error {
	if d.cluster.MemberID == 0 {
		return nil
	}
	node, cluster, err := d.readIdentity()
	if err != nil {
		return nil //nolint:nilerr // verify reports a corrupt log
	}
	if node != uint64(d.cluster.MemberID) || cluster != uint64(d.cluster.ClusterID) {
		return dataDirError("data directory %s: %s is the data of member %x of cluster %x, but cluster.json is that of member %x of cluster %x; "+
			"one of them was copied from another directory", d.path, d.etcdDir(), node, cluster, uint64(d.cluster.MemberID), uint64(d.cluster.ClusterID))
	}
	return nil
}

// join makes the directory that of a new learner of a cluster. It waits until the cluster accepts
// the learner.
func (m *Member) join(ctx context.Context, cfg Config, at addresses) error {
	for {
		if m.isPromoted(ctx, cfg) {
			return nil // it has a vote, so its data must be kept: others count on it
		}
		err := m.tryJoin(ctx, cfg, at)
		if _, isFinal := errors.AsType[*ConfigError](err); err == nil || isFinal {
			return err
		}
		if ctx.Err() != nil {
			return fmt.Errorf("%w: %w", context.Cause(ctx), err)
		}
		m.report("waiting for a member of the cluster to respond: " + err.Error())
		select {
		case <-time.After(leaderCheckInterval):
		case <-ctx.Done():
		}
	}
}

// isPromoted reports whether an interrupted join of this directory has got its vote, as far as its
// own data and the lists of others show. It needs no quorum: the others may need this member for one.
func (m *Member) isPromoted(ctx context.Context, cfg Config) bool {
	former := m.data.cluster
	if former.Origin != originJoin || former.MemberID == 0 || !wal.Exist(filepath.Join(m.data.etcdDir(), "member", "wal")) {
		return false
	}
	hasVote := func(members []SnapshotMember) bool {
		return slices.ContainsFunc(members, func(one SnapshotMember) bool { return one.ID == uint64(former.MemberID) && !one.IsLearner })
	}
	stored, err := ReadMembers(filepath.Join(m.data.etcdDir(), "member", "snap", "db"))
	if err == nil && hasVote(stored) {
		return true
	}
	for _, other := range former.Others {
		for _, peerURL := range other.PeerURLs {
			if members, err := requestMembers(ctx, cfg, peerURL, uint64(former.ClusterID)); err == nil && hasVote(members) {
				return true
			}
		}
	}
	return false
}

// tryJoin is one try of join. It returns a *ConfigError if another try would fail as well.
func (m *Member) tryJoin(ctx context.Context, cfg Config, at addresses) error {
	d := &m.data
	client, err := connectToCluster(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	if err := m.checkIdentity(ctx, client, cfg); err != nil {
		return err
	}
	isPromoted, err := m.removeFormerEntry(ctx, client)
	if err != nil || isPromoted {
		return finalJoinError(cfg, err)
	}
	if err := d.removeEtcd(); err != nil {
		return joinError(cfg, err)
	}
	m.report("waiting until the cluster accepts this member")
	id, members, err := etcdcluster.AddLearner(ctx, client, etcdcluster.Candidate{
		Name: cfg.Cluster.Name, PeerURL: at.advertisedPeer.String(),
		Report: func(reason error) { m.report("waiting until the cluster accepts this member: " + reason.Error()) },
		IsRunning: func(ctx context.Context, learner etcdcluster.Member) bool {
			return slices.ContainsFunc(learner.ClientURLs, func(url string) bool { return isMemberAt(ctx, cfg, url, learner.ID) })
		},
	})
	if err != nil {
		return finalJoinError(cfg, err)
	}
	// Others have joined while this member waited: they may have changed the timing, and the
	// round trip to them counts as well.
	timing, err := m.chooseTiming(ctx, client, cfg, members)
	if err != nil {
		return finalJoinError(cfg, err)
	}
	c := clusterInfo{Token: cfg.ClusterToken, PeerURL: at.advertisedPeer.String(), ClientURL: at.advertisedClient.String()}
	c.Origin, c.Name, c.ClusterID, c.MemberID = originJoin, cfg.Cluster.Name, hexID(members.ClusterID), hexID(id)
	c.Others, c.Timing = othersOf(members, id), timing
	if err := d.writeCluster(c); err != nil {
		return joinError(cfg, err)
	}
	d.initialCluster = existingCluster(cfg.Cluster.Name, id, members)
	m.report("copying the data of the cluster")
	return nil
}

// identityTimeout is how long a join waits for the identity of a cluster, which its first member
// stores a moment after it serves requests.
const identityTimeout = 10 * time.Second

// checkIdentity returns a *ConfigError unless the cluster is one of daemons, with the token of cfg.
func (m *Member) checkIdentity(ctx context.Context, client *clientv3.Client, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	identity, err := etcdcluster.LoadIdentity(ctx, client)
	switch {
	case errors.Is(err, etcdcluster.ErrNoIdentity) && time.Since(m.startedAt) < identityTimeout:
		return err
	case err != nil:
		return finalJoinError(cfg, err)
	case identity.Token != cfg.ClusterToken:
		return &ConfigError{Field: FieldClusterToken, Err: fmt.Errorf("the members at %v form cluster %q, not %q", client.Endpoints(), identity.Token, cfg.ClusterToken)}
	}
	return nil
}

// removeFormerEntry removes the entry of an interrupted join of this directory. It reports true if
// that member has a vote already.
func (m *Member) removeFormerEntry(ctx context.Context, client *clientv3.Client) (isPromoted bool, err error) {
	former := m.data.cluster
	if former.Origin != originJoin || former.MemberID == 0 {
		return false, nil
	}
	ctx, cancel := context.WithTimeout(ctx, 2*probeTimeout)
	defer cancel()
	members, err := etcdcluster.List(ctx, client)
	if err != nil || members.ClusterID != uint64(former.ClusterID) {
		return false, err
	}
	entry, isMember := members.ByID(uint64(former.MemberID))
	switch {
	case !isMember:
		return false, nil
	case !entry.IsLearner && wal.Exist(filepath.Join(m.data.etcdDir(), "member", "wal")):
		return true, nil
	}
	_, err = client.MemberRemove(ctx, entry.ID)
	if errors.Is(err, rpctypes.ErrMemberNotFound) {
		err = nil
	}
	return false, err
}

// existingCluster returns the setting with which etcd starts a member of an existing cluster.
func existingCluster(self string, id uint64, members etcdcluster.Members) string {
	var text []byte
	for _, member := range members.List {
		name := self
		if member.ID != id {
			name = fmt.Sprintf("%x", member.ID)
		}
		for _, peerURL := range member.PeerURLs {
			text = fmt.Appendf(text, "%s=%s,", name, peerURL)
		}
	}
	return string(text[:len(text)-1])
}

// chooseTiming measures the round trips to all members, and returns the timing of the cluster, which
// it raises if they need it. A member that does not respond is skipped.
func (m *Member) chooseTiming(ctx context.Context, client *clientv3.Client, cfg Config, members etcdcluster.Members) (etcdcluster.Timing, error) {
	largest := cfg.Cluster.RoundTrip
	for _, other := range members.List {
		if roundTrip, err := measureRoundTrip(ctx, other.ClientURLs, cfg); err == nil {
			largest = max(largest, roundTrip)
		}
	}
	timing, isRaised, err := etcdcluster.RaiseTiming(ctx, client, largest)
	if isRaised {
		m.state.logger.Warn("the timing of the cluster has changed, because of the round trip of this member to another one; restart the daemons of the other members, one after the other",
			"round_trip", largest, "timing", timing.String())
	}
	return timing, err
}

// joinError adds the field to an error of a cluster that cannot be joined.
func joinError(cfg Config, err error) error {
	return &ConfigError{Field: FieldJoin, Err: fmt.Errorf("join the cluster at %v: %w", cfg.Cluster.Join, err)}
}

// finalJoinError returns the error of a join, as a *ConfigError unless the cluster may accept the next
// try.
func finalJoinError(cfg Config, err error) error {
	if err == nil || etcdcluster.IsTemporary(err) || errors.Is(err, context.Canceled) {
		return err
	}
	return joinError(cfg, err)
}

// requireNoForeignEtcd returns an error if there is etcd data without cluster.json.
func (d *dataDir) requireNoForeignEtcd() error {
	hasEtcd, err := d.hasEtcd()
	if err != nil {
		return fmt.Errorf("data directory %s: %w", d.path, err)
	}
	if hasEtcd {
		return dataDirError("data directory %s contains etcd data but no cluster.json, so rtmanager did not create it", d.path)
	}
	return nil
}

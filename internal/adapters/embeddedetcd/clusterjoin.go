package embeddedetcd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
	clientv3 "go.etcd.io/etcd/client/v3"
	"go.etcd.io/etcd/server/v3/storage/wal"

	"galaxy/rtmanager/internal/etcdcluster"
	"galaxy/rtmanager/internal/wait"
)

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
		_ = wait.For(ctx, leaderCheckInterval) // the next try returns the end of ctx
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

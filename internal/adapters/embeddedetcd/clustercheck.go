package embeddedetcd

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"sync"

	"galaxy/rtmanager/internal/etcdcluster"
)

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

// checkAddress checks that no other process runs the member, at the addresses that the directory
// and the other members have. The member's own address is one of them, and etcd does not listen
// there yet: another machine can have the same DNS name, and a machine that the member has left can
// start its former directory.
func (m *Member) checkAddress(ctx context.Context, cfg Config, at addresses) error {
	info := m.data.cluster
	if info.MemberID == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	return m.checkCopy(ctx, cfg, append(m.ownURLs(ctx, cfg), info.ClientURL, at.advertisedClient.String()))
}

// ownURLs returns the client URLs of this member that other members have stored. It requests them at the
// peer ports: a member serves its list there without a quorum, and its client port only with one.
func (m *Member) ownURLs(ctx context.Context, cfg Config) (urls []string) {
	info := m.data.cluster
	var mu sync.Mutex
	var requests sync.WaitGroup
	for _, other := range info.Others {
		for _, peerURL := range other.PeerURLs {
			requests.Go(func() {
				members, err := requestMembers(ctx, cfg, peerURL, uint64(info.ClusterID))
				if err != nil {
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, one := range members {
					if one.ID == uint64(info.MemberID) {
						urls = append(urls, one.ClientURLs...)
					}
				}
			})
		}
	}
	requests.Wait()
	return urls
}

// checkCopy returns a *ConfigError if this member runs at one of the addresses, from another
// directory. It sends requests to all of them concurrently.
func (m *Member) checkCopy(ctx context.Context, cfg Config, addresses []string) error {
	slices.Sort(addresses)
	addresses = slices.Compact(addresses)
	isRunning := make([]bool, len(addresses))
	var probes sync.WaitGroup
	for i, address := range addresses {
		if address != "" {
			probes.Go(func() { isRunning[i] = m.isRunningAt(ctx, cfg, address) })
		}
	}
	probes.Wait()
	i := slices.Index(isRunning, true)
	if i < 0 {
		return nil
	}
	return dataDirError("data directory %s is a copy: member %s (%x) runs at %s; two processes must not run the same member. To add a member, start it with a new directory",
		m.data.path, m.data.cluster.label(), uint64(m.data.cluster.MemberID), addresses[i])
}

// isRunningAt reports whether a member with the id of this one responds at the URL.
func (m *Member) isRunningAt(ctx context.Context, cfg Config, url string) bool {
	status, err := statusAt(ctx, cfg, url)
	return err == nil && status.Header.GetMemberId() == uint64(m.data.cluster.MemberID) && status.Header.GetClusterId() == uint64(m.data.cluster.ClusterID)
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

// checkMembership requests the member lists of other members. It returns a *RemovedError if they do
// not have this member, and a *ConfigError if they form another cluster. It skips members that do
// not respond.
func (m *Member) checkMembership(ctx context.Context, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	m.clusterMu.Lock()
	info := m.data.cluster
	m.clusterMu.Unlock()
	foreign := ""
	for _, found := range listsOf(ctx, cfg, info) {
		if found.members.ClusterID != uint64(info.ClusterID) {
			foreign = fmt.Sprintf("the member at %s is of cluster %x", found.url, found.members.ClusterID)
			continue
		}
		if _, isMember := found.members.ByID(uint64(info.MemberID)); !isMember && found.isLinearizable {
			return m.markRemoved()
		}
		return nil
	}
	if foreign == "" {
		return nil
	}
	return &ConfigError{Err: fmt.Errorf("data directory %s belongs to member %s of cluster %x, but %s: that cluster was created or restored since; "+
		"to join it, remove %s and %s and nothing else: the games of this host remain", m.data.path, info.label(), uint64(info.ClusterID), foreign, m.data.etcdDir(), m.data.clusterFile())}
}

package embeddedetcd

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"

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

// removedError returns the error of a member that was removed from its cluster.
func (d *dataDir) removedError() error {
	return &RemovedError{
		Name: d.cluster.label(), ID: uint64(d.cluster.MemberID), Dir: d.path, EtcdDir: d.etcdDir(), ClusterFile: d.clusterFile(),
	}
}

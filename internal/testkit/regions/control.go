package regions

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"go.etcd.io/etcd/api/v3/v3rpc/rpctypes"
)

// LaunchMember is RestartMember with an error instead of a failed test.
func (c *Cluster) LaunchMember(region string) error { return c.servers[region].start() }

// SignalMember sends a signal to the process of the member of the region.
func (c *Cluster) SignalMember(region string, signal syscall.Signal) error {
	return c.servers[region].running().signal(signal)
}

// TransferLeader makes the member of the region the leader. It retries until ctx ends.
func (c *Cluster) TransferLeader(ctx context.Context, region string) error {
	for {
		err := c.tryTransferLeader(ctx, region)
		if err == nil && c.Leader() == region {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("the member of %s did not become the leader: %w", region, ctx.Err()), err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func (c *Cluster) tryTransferLeader(ctx context.Context, region string) error {
	leader := c.Leader()
	if leader == "" || leader == region {
		return nil
	}
	target, err := c.status(ctx, region)
	if err != nil {
		return err
	}
	client, err := c.OpenClient(leader)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err = client.MoveLeader(ctx, target.Header.GetMemberId())
	return err
}

// ReplaceMember removes the member of the region from the cluster, kills it, and starts a new one
// with an empty directory in its place. It returns before the new member has all data. It
// needs members that are processes of their own, and a majority of the others.
func (c *Cluster) ReplaceMember(ctx context.Context, region string) error {
	m, isProcess := c.servers[region].(*member)
	if !isProcess {
		return errors.New("an embedded member is replaced by WipeDisk and a start of its daemon")
	}
	other := EU
	if region == EU {
		other = US
	}
	client, err := c.OpenClient(other)
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	list, err := client.MemberList(ctx)
	if err != nil {
		return err
	}
	initial := []string{region + "=" + m.config.PeerURL}
	for _, listed := range list.Members {
		if listed.PeerURLs[0] != m.config.PeerURL {
			initial = append(initial, listed.Name+"="+listed.PeerURLs[0])
			continue
		}
		err := retryChange(ctx, rpctypes.ErrMemberNotFound, func(ctx context.Context) error {
			_, err := client.MemberRemove(ctx, listed.ID)
			return err
		})
		if err != nil {
			return fmt.Errorf("remove the member of %s: %w", region, err)
		}
	}
	m.running().kill()
	err = retryChange(ctx, rpctypes.ErrPeerURLExist, func(ctx context.Context) error {
		_, err := client.MemberAdd(ctx, []string{m.config.PeerURL})
		return err
	})
	if err != nil {
		return fmt.Errorf("add a member in %s: %w", region, err)
	}
	if err := emptyDir(m.config.Dir); err != nil {
		return err
	}
	m.config.InitialCluster, m.config.HasJoined = strings.Join(initial, ","), true
	return m.start()
}

// retryChange retries a change of the members until etcd has made it, which it reports by the
// error done if the response to an earlier attempt was lost. etcd rejects changes while members
// have just been connected, and drops one that arrives while it elects a leader.
func retryChange(ctx context.Context, done error, change func(context.Context) error) error {
	for {
		attempt, cancel := context.WithTimeout(ctx, 3*time.Second)
		err := change(attempt)
		cancel()
		if err == nil || errors.Is(err, done) {
			return nil
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// SetMemberData makes the directories the data of stopped members, such as those that a restore
// has written. Members in them must have the names and peer URLs of InitialCluster.
func (c *Cluster) SetMemberData(dirs map[string]string) error {
	for region, dir := range dirs {
		m, isProcess := c.servers[region].(*member)
		if !isProcess || !m.running().hasExited() {
			return fmt.Errorf("the member of %s must be a process that has ended", region)
		}
		m.config.Dir = dir
	}
	return nil
}

// PeerURLs returns the peer URL of each member by its region, which is its name.
func (c *Cluster) PeerURLs() map[string]string {
	urls := map[string]string{}
	for _, region := range Names() {
		urls[region] = c.peers[region].URL()
	}
	return urls
}

// emptyDir removes what is in the directory, which may be a mount point.
func emptyDir(dir string) error {
	entries, err := os.ReadDir(dir)
	for _, entry := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, entry.Name())))
	}
	return err
}

// Launch is Start with an error instead of a failed test. The embedded Client is that of the last
// Start: use StableClient.
func (d *Daemon) Launch() error {
	if err := d.begin(); err != nil {
		return err
	}
	_, err := d.awaitReady()
	return err
}

// Signal sends a signal to the process of the daemon.
func (d *Daemon) Signal(signal syscall.Signal) error { return d.process.Load().signal(signal) }

// Shutdown ends the daemon as SIGTERM does, and kills it if ctx ends first. Its games continue to
// run.
func (d *Daemon) Shutdown(ctx context.Context) error {
	running := d.process.Load()
	if err := running.signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-running.exited:
		return nil
	case <-ctx.Done():
		running.kill()
		return fmt.Errorf("killed %s, which did not end: %w", running.name, ctx.Err())
	}
}

// SetBinary makes the next start run another binary, such as an earlier release. Empty means that
// of this module.
func (d *Daemon) SetBinary(path string) { d.binary = path }

// SetEnvironment sets variables, as NAME=VALUE, in addition to those of the test, from the next
// start on.
func (d *Daemon) SetEnvironment(variables ...string) { d.environment = variables }

// Name returns the name of the node of the daemon, without its region.
func (d *Daemon) Name() string { return d.name }

// Region returns the region of the daemon.
func (d *Daemon) Region() string { return d.region }

// Binary returns the rtmanager of this module.
func Binary() (string, error) {
	dir, err := binaries.build()
	return filepath.Join(dir, "rtmanager"), err
}

package operator

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"

	"galaxy/rtmanager/internal/testkit/regions"
)

// RevokeSession revokes the lease of the session of a daemon, as if the daemon had been suspended
// for longer than its TTL. The store must have no prefix.
func RevokeSession(ctx context.Context, cluster *regions.Cluster, d *regions.Daemon) error {
	key := "/nodes/" + d.Region() + "/" + d.Name()
	leader := cluster.Leader()
	if leader == "" {
		return errors.New("etcd has no leader")
	}
	return withMember(cluster, leader, func(client *clientv3.Client) error {
		resp, err := client.Get(ctx, key)
		switch {
		case err != nil:
			return wrap("read", key, err)
		case len(resp.Kvs) == 0 || resp.Kvs[0].Lease == 0:
			return fmt.Errorf("%s has no session", key)
		}
		_, err = client.Revoke(ctx, clientv3.LeaseID(resp.Kvs[0].Lease))
		return wrap("revoke the session of", key, err)
	})
}

// KillGame kills the process of the game of a container.
func KillGame(c regions.Container) error { return syscall.Kill(c.PID, syscall.SIGKILL) }

// RemoveContainer removes the directory of a container of the daemon by hand. The process of its
// game continues to run unless kill is set.
func RemoveContainer(d *regions.Daemon, c regions.Container, kill bool) error {
	dir := d.ContainerDir(c.ID)
	if dir == "" {
		return fmt.Errorf("%s/%s has no container %s", d.Region(), d.Name(), c.ID)
	}
	if kill {
		if err := KillGame(c); err != nil {
			return err
		}
	}
	// A process of the container that still ends writes files, so the directory is renamed first.
	removed := dir + "-removed"
	if err := os.Rename(dir, removed); err != nil {
		return err
	}
	for {
		err := os.RemoveAll(removed)
		if !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
}

// RestartDaemons restarts one daemon after the other with another binary; empty means that of this
// module. Each is ready before the next one ends. Games continue to run.
func RestartDaemons(ctx context.Context, binary string, daemons ...*regions.Daemon) error {
	for _, d := range daemons {
		if err := d.Shutdown(ctx); err != nil {
			return err
		}
		d.SetBinary(binary)
		if err := d.Launch(); err != nil {
			return err
		}
	}
	return nil
}

// RestartMembers restarts one member after the other. Each serves linearizable reads before the
// next one is killed.
func RestartMembers(ctx context.Context, cluster *regions.Cluster) error {
	for _, region := range regions.Names() {
		cluster.KillMember(region)
		if err := cluster.LaunchMember(region); err != nil {
			return err
		}
		if err := AwaitMember(ctx, cluster, region); err != nil {
			return err
		}
	}
	return nil
}

// AwaitMember returns when the member of the region serves linearizable reads, or when ctx ends.
func AwaitMember(ctx context.Context, cluster *regions.Cluster, region string) error {
	for {
		err := withMember(cluster, region, func(client *clientv3.Client) error {
			ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
			defer cancel()
			_, err := client.Get(ctx, "key")
			return err
		})
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return wrap("read at the member of", region, err)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

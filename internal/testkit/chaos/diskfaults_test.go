package chaos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"galaxy/rtmanager/internal/testkit/chaos"
	"galaxy/rtmanager/internal/testkit/operator"
	"galaxy/rtmanager/internal/testkit/regions"
)

// mountDisks mounts the disks of the members, as far as this machine allows, and returns the directory of each
// member by region.
func (c *testCluster) mountDisks(t *testing.T) map[string]string {
	t.Helper()
	dirs := map[string]string{}
	full := t.TempDir()
	disk, err := operator.MountDisk(full, diskBytes)
	if err != nil {
		t.Logf("no disk is filled: %v", err)
	} else {
		t.Cleanup(func() { _ = disk.Unmount() })
		c.disk, dirs[regions.AP] = disk, full
	}
	c.slowDisks = map[string]*operator.SlowDisk{}
	for _, region := range regions.Names() {
		dir, files := t.TempDir(), dirs[region]
		if files == "" {
			files = t.TempDir()
		}
		slow, err := operator.MountSlowDisk(dir, files)
		if err != nil {
			t.Logf("no disk is slow: %v", err)
			break
		}
		t.Cleanup(func() { _ = slow.Unmount() }) // before the disk below it
		c.slowDisks[region], dirs[region] = slow, dir
	}
	return dirs
}

// diskFaults returns what can happen to the disks of the members.
func (c *testCluster) diskFaults() []chaos.Fault {
	var faults []chaos.Fault
	if c.disk != nil {
		faults = append(faults, c.diskFault("disk full", regions.AP, func(*rand.Rand) (string, error) { return "", c.disk.Fill() }, c.disk.Free))
	}
	for _, region := range regions.Names() {
		disk := c.slowDisks[region]
		if disk == nil {
			continue
		}
		repair := func() error { disk.Repair(); return nil }
		faults = append(faults,
			c.diskFault("disk slow", region, func(rng *rand.Rand) (string, error) {
				delay := time.Duration(20<<rng.IntN(7)) * time.Millisecond // up to 1.28 s
				disk.SetSyncDelay(delay)
				return delay.String(), nil
			}, repair),
			c.diskFault("disk hangs", region, func(*rand.Rand) (string, error) { disk.Hang(); return "", nil }, repair),
			c.diskFault("syncs of a disk fail", region, func(*rand.Rand) (string, error) { disk.FailSyncs(); return "", nil }, repair),
		)
	}
	return faults
}

// diskFault returns a fault of the disk of a member. The member may end, and is started after the repair.
func (c *testCluster) diskFault(kind, region string, begin func(*rand.Rand) (detail string, err error), end func() error) chaos.Fault {
	return chaos.Fault{Kind: kind, Target: region, Process: c.memberProcess(region), MaxDuration: 4 * time.Second, Inject: func(_ context.Context, rng *rand.Rand) (func(context.Context) error, string, error) {
		detail, err := begin(rng)
		return func(ctx context.Context) error {
			ctx, cancel := context.WithTimeout(ctx, operatorTimeout)
			defer cancel()
			return errors.Join(end(), c.awaitMember(ctx, region))
		}, detail, err
	}}
}

// awaitMember returns when the member of the region serves requests. It starts one that has ended, also one
// that ends after a moment because it has met an error.
func (c *testCluster) awaitMember(ctx context.Context, region string) error {
	for {
		if c.SignalMember(region, syscall.Signal(0)) != nil {
			if err := c.LaunchMember(region); err != nil {
				return err
			}
		}
		attempt, cancel := context.WithTimeout(ctx, faultTimeout)
		err := operator.AwaitMember(attempt, c.Cluster, region)
		cancel()
		if err == nil || ctx.Err() != nil {
			return err
		}
	}
}

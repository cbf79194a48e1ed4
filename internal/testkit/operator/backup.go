package operator

import (
	"context"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"galaxy/rtmanager/internal/testkit/regions"
)

// Backup saves a backup of the cluster to a new file by the command line.
func Backup(ctx context.Context, cluster *regions.Cluster, file string) error {
	return run(ctx, "backup", file, "--etcd-endpoints", strings.Join(cluster.Endpoints(), ","))
}

// Restore restores a backup to members that are processes of their own, and starts them with new
// data below dir, which must not exist. It kills all members first. The caller ends the daemons
// before, and starts them afterwards.
func Restore(ctx context.Context, cluster *regions.Cluster, file, dir string) error {
	// A proxy accepts connections for a member that has ended, which restore treats as in use.
	arguments, dirs := []string{"restore", "--force", "--from", file, "--output", dir}, map[string]string{}
	for region, peer := range cluster.PeerURLs() {
		cluster.KillMember(region)
		arguments = append(arguments, "--member", region+"="+peer)
		dirs[region] = filepath.Join(dir, region)
	}
	if err := run(ctx, arguments...); err != nil {
		return err
	}
	if err := cluster.SetMemberData(dirs); err != nil {
		return err
	}
	for region := range dirs {
		if err := cluster.LaunchMember(region); err != nil {
			return err
		}
	}
	for region := range dirs {
		if err := AwaitMember(ctx, cluster, region); err != nil {
			return err
		}
	}
	return nil
}

// run runs a command of the rtmanager of this module.
func run(ctx context.Context, arguments ...string) error {
	binary, err := regions.Binary()
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, binary, arguments...).CombinedOutput() //nolint:gosec // built for the test
	if err != nil {
		return fmt.Errorf("rtmanager %s: %w: %s", strings.Join(arguments, " "), err, out)
	}
	return nil
}

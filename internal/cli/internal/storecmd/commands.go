// Package storecmd has the commands for the etcd of a store: backup, restore, etcd and bench.
package storecmd

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/host"
)

// Commands returns the commands.
func Commands(h host.Host) []*cobra.Command {
	c := commands{h}
	return []*cobra.Command{c.backupCommand(), c.restoreCommand(), c.etcdCommand(), c.benchCommand()}
}

type commands struct{ host.Host }

// Package certcmd has the command cert: a small certificate authority for daemons and clients.
package certcmd

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/host"
)

// Command returns the command.
func Command(h host.Host) *cobra.Command { return commands{h}.certCommand() }

type commands struct{ host.Host }

// ClusterCommands returns the commands for the certificates of a cluster.
func ClusterCommands(h host.Host) []*cobra.Command {
	c := commands{h}
	return []*cobra.Command{c.certIssueCommand(), c.certListCommand(), c.certRenewCommand(), c.certRotateCACommand()}
}

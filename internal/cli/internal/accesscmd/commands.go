// Package accesscmd has the commands for the identities of callers and their permissions: whoami,
// can-i, token and role.
package accesscmd

import (
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/host"
)

// completionTimeout is how long a shell may wait for the daemon.
const completionTimeout = 500 * time.Millisecond

// Commands returns the commands.
func Commands(h host.Host) []*cobra.Command {
	c := commands{h}
	return []*cobra.Command{c.whoamiCommand(), c.canICommand(), c.tokenCommand(), c.roleCommand()}
}

type commands struct{ host.Host }

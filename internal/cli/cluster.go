package cli

import (
	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/cli/internal/certcmd"
	"galaxy/rtmanager/internal/cli/internal/clustercmd"
)

// clusterCommand returns the commands of package clustercmd.
func (a *app) clusterCommand() *cobra.Command {
	return clustercmd.Command(clustercmd.Host{
		Out: a.streams.Out, Err: a.streams.Err, IsTerminal: a.streams.IsTerminal, Now: a.streams.Now,
		RunE: a.runE, CallDaemon: a.callDaemon, Printer: a.printer, Confirm: a.confirm,
		UseNoDaemon:  func() { a.usesNoDaemon = true },
		CertCommands: func() []*cobra.Command { return certcmd.ClusterCommands(a.host()) },
	})
}

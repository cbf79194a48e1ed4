package clustercmd

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/output"
)

// Host is what the commands use of the command line. All fields are required.
type Host struct {
	// Out receives results, and Err messages.
	Out, Err io.Writer
	// IsTerminal reports whether the user can confirm a question.
	IsTerminal bool
	// Now is the clock of certificates.
	Now func() time.Time
	// RunE returns the RunE function of a command.
	RunE func(run func(cmd *cobra.Command, args []string) error) func(*cobra.Command, []string) error
	// CallDaemon calls use with a client of the daemon, within the timeout of one request.
	CallDaemon func(ctx context.Context, use func(context.Context, *httpclient.Client) error) error
	// UseNoDaemon marks the command as one that connects to no daemon.
	UseNoDaemon func()
	// Printer returns the printer of results.
	Printer func() *output.Printer
	// Confirm prints a question and reports whether the user confirms it.
	Confirm func(question string) bool
	// CertCommands returns new commands of rtmanager cert that a cluster needs.
	CertCommands func() []*cobra.Command
}

// Command returns rtmanager cluster with all its commands.
func Command(host Host) *cobra.Command {
	c := commands{host}
	cmd := &cobra.Command{
		Use:   "cluster COMMAND",
		Short: "Make a cluster of several daemons, and show and change its members",
		Long: `Cluster manages the etcd members of a cluster: a daemon on each host embeds one, and they
keep the same records. A cluster of 3 members continues while 1 is lost, one of 5 while
2 are lost.

"cluster init" makes the certificates of all hosts and prints the commands that start
their daemons. A daemon joins with one command, also later. "cluster status" shows how many
members may be lost. "cluster replace" exchanges a lost member for a new one.`,
		Example: `  rtmanager cluster init --dir pki --member eu/eu-1=eu-1 --member us/us-1=us-1 --member ap/ap-1=ap-1
  rtmanager cluster status
  rtmanager cluster replace us/us-1
  rtmanager cluster cert renew --dir pki`,
		Args: requireNoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.initCommand(), c.certCommand(), c.membersCommand(), c.statusCommand(), c.removeCommand(), c.replaceCommand())
	return cmd
}

type commands struct{ Host }

// printMessagef prints a message of a command to standard error.
func (c commands) printMessagef(cmd *cobra.Command, format string, args ...any) {
	fmt.Fprintf(c.Err, "rtmanager: cluster %s: %s\n", cmd.Name(), fmt.Sprintf(format, args...))
}

func requireNoArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return fmt.Errorf("%s takes no arguments, got %q", cmd.Name(), args[0])
	}
	return nil
}

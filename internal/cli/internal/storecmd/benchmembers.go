package storecmd

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"galaxy/rtmanager/internal/bench/members"
	"galaxy/rtmanager/internal/cli/internal/host"
)

// maxMembers is the largest number of members: etcd advises at most seven.
const maxMembers = 7

// validateMembers returns an error if --members is set to an invalid number, or together
// with a flag that selects another cluster.
func validateMembers(flags *pflag.FlagSet, size int) error {
	if !flags.Changed("members") {
		return nil
	}
	var err error
	if size < 1 || size > maxMembers {
		err = fmt.Errorf("--members is %d; use 1 to %d", size, maxMembers)
	}
	if flags.Changed("etcd-endpoints") {
		err = errors.Join(err, errors.New("--members starts an etcd of its own; omit --etcd-endpoints"))
	}
	return err
}

// startMembers starts members whose processes run benchMemberCommand of this program.
func startMembers(ctx context.Context, size int) (*members.Cluster, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return members.Start(ctx, members.Options{Command: []string{program, "bench", "member"}, Size: size})
}

// benchMemberCommand is the command of the processes of --members.
func (c commands) benchMemberCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "member",
		Short: "Run one member of etcd for bench --members, which starts this command",
		Long: `Member runs one member of etcd. Bench starts it with --members, and sends settings and
requests to its standard input.`,
		Example: `  rtmanager bench --members 3
  rtmanager bench member`,
		Hidden: true,
		Args:   host.RequireNoArguments,
	}
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		c.UseNoDaemon()
		return members.Serve(cmd.Context(), c.In, c.Out, c.Err)
	})
	return cmd
}

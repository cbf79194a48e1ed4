package clustercmd

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/domain/membership"
)

func (c commands) membersCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "members",
		Short: "List the etcd members with their addresses",
		Long: `Members lists the etcd members of the store: name, role, addresses. The name of a member
that a daemon embeds is REGION/NODE. It works without a quorum; the list is then the one
that the member of the daemon has stored.`,
		Example: `  rtmanager cluster members
  rtmanager cluster members -o json | jq -r '.members[] | select(.responds | not) | .name'`,
		Args: requireNoArguments,
	}
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		return c.withMembers(cmd.Context(), c.Printer().ClusterMembers)
	})
	return cmd
}

func (c commands) statusCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show the health of the cluster: quorum, each member, certificates",
		Long: `Status shows what each etcd member of the store reports, and how many may be lost. It
works with embedded members and with an external etcd, also without a quorum.

For each member it shows the role, the round trip from the daemon that responds, the size
of the database, by how many log entries the member is behind the leader (LAG), and when
its certificate expires. A member that hangs is reported after a few seconds.

Below the table are warnings: a lost quorum, an even number of members, alarms, members
that run with another timing than the cluster, certificates that expire within 30 days.
Without a quorum the exit code is 5.`,
		Example: `  rtmanager cluster status
  rtmanager cluster status -o wide
  rtmanager cluster status --server https://10.0.2.1:8080      # as another daemon sees it
  rtmanager cluster status -o json | jq .quorum.may_be_lost`,
		Args: requireNoArguments,
	}
	cmd.RunE = c.RunE(func(cmd *cobra.Command, _ []string) error {
		return c.withMembers(cmd.Context(), func(members api.ClusterMembers) error {
			err := c.Printer().ClusterStatus(members)
			if err == nil && members.Quorum.MayBeLost < 0 {
				err = membership.ErrNoQuorum
			}
			return err
		})
	})
	return cmd
}

// withMembers prints the members of the daemon.
func (c commands) withMembers(ctx context.Context, show func(api.ClusterMembers) error) error {
	return c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		members, err := client.Members(ctx)
		if err != nil {
			return err
		}
		return show(members)
	})
}

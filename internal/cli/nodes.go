package cli

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
)

func (a *app) nodesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes that are present",
		Long: `Nodes lists every daemon that is present and runs games, with its engine and the
address at which other daemons reach it. One node of each region is the leader: it
reschedules the games of lost nodes.

A daemon that is not listed is absent, or runs without an engine.`,
		Example: `  rtmanager nodes
  rtmanager nodes -o json | jq -r '.items[].api'`,
		Args: requireNoArguments,
		RunE: a.runE(func(cmd *cobra.Command, _ []string) error {
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				nodes, err := client.Nodes(ctx)
				if err != nil {
					return err
				}
				return a.printer().Nodes(nodes)
			})
		}),
	}
}

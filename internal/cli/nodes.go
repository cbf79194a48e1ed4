package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/maintenancecmd"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) nodesCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "List the nodes: present, stopped and lost",
		Long: `Nodes lists every daemon that runs games or has run some, with its status, the number of
its games, its engine, and the address at which other daemons reach it. One node of each
region is the leader: it reschedules the games of lost nodes.

STATUS is "ready" for a present node, "stopped" if its daemon stopped as planned, and
"lost" if it is absent for another reason. An absent node stays listed until it returns
or "nodes remove" removes it. A daemon without an engine is no node. What operators have
set follows, as in "ready,cordoned"; -o wide shows why, by which actor and since when.

With -o wide it also lists what the running games of each node use and may use (RUNNING, CPUS,
MEMORY), and the labels and taints by which games are placed.

The command warns if the clock of a node certainly differs from that of the daemon that
responds.`,
		Example: `  rtmanager nodes
  rtmanager nodes -o json | jq -r '.items[] | select(.status == "lost") | .name'
  rtmanager nodes remove eu/eu-3`,
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
	cmd.AddCommand(a.removeNodeCommand())
	return cmd
}

// maintenanceCommands returns the commands of package maintenancecmd.
func (a *app) maintenanceCommands() []*cobra.Command {
	return maintenancecmd.Commands(a.host())
}

func (a *app) removeNodeCommand() *cobra.Command {
	var isForced bool
	cmd := &cobra.Command{
		Use:   "remove REGION/NODE",
		Short: "Remove an absent node from the list",
		Long: `Remove removes a node that will not return from the list of nodes. It changes no record.

It is rejected, with exit code 3, while the node is present, and while records name the
node: clean up its games or start them elsewhere first, or pass --force.`,
		Example: `  rtmanager nodes remove eu/eu-3
  rtmanager nodes remove eu/eu-3 --force`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().BoolVar(&isForced, "force", false, "remove the node although records name it")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		region, name, isRef := strings.Cut(args[0], "/")
		if !isRef || region == "" || name == "" {
			return exit.UsageError{Err: errors.New("name the node as REGION/NODE, as in eu/eu-1")}
		}
		return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			if err := client.RemoveNode(ctx, node.Ref{Region: region, Name: name}, isForced); err != nil {
				if errors.Is(err, runtime.ErrNotFound) {
					return exit.HintError{Err: err, Hint: "`rtmanager nodes` lists the nodes"}
				}
				return err
			}
			_, err := fmt.Fprintf(a.streams.Out, "node %s removed\n", args[0])
			return err
		})
	})
	return cmd
}

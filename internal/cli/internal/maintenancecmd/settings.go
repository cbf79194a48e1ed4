package maintenancecmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
)

func (c commands) cordonCommand() *cobra.Command {
	return c.nodesCommand(&cobra.Command{
		Use:   "cordon NODE...",
		Short: "Exclude nodes from new games",
		Long: `Cordon excludes nodes from new games: no start and no reschedule selects them, and a start
that names one is rejected. The games that run there are not affected, and are restarted
after a crash.

NODE is REGION/NODE, or the name alone if it is unique. The cordon survives restarts of the
daemons, until uncordon ends it. "rtmanager nodes" shows it.`,
		Example: `  rtmanager cordon eu/eu-3 --reason "kernel update"
  rtmanager cordon eu-3 eu-4`,
	}, httpclient.NodeCordon, "cordoned")
}

func (c commands) uncordonCommand() *cobra.Command {
	return c.nodesCommand(&cobra.Command{
		Use:     "uncordon NODE...",
		Short:   "Let nodes get new games",
		Long:    `Uncordon ends the cordon of nodes: they get new games. No game is moved back.`,
		Example: `  rtmanager uncordon eu/eu-3`,
	}, httpclient.NodeUncordon, "uncordoned")
}

// nodesCommand completes a command that makes one change of several nodes.
func (c commands) nodesCommand(cmd *cobra.Command, change httpclient.NodeChange, done string) *cobra.Command {
	var reason string
	cmd.Flags().StringVar(&reason, "reason", "", "reason, for other operators and the audit log")
	cmd.Args = requireNodes
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		return c.changeNodes(cmd, args, change, reason, done)
	})
	return cmd
}

func requireNodes(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exit.UsageError{Err: fmt.Errorf("%s requires a NODE, such as eu/eu-1", cmd.Name())}
	}
	return nil
}

// changeNodes changes the nodes one after the other. A node that cannot be changed does not
// prevent the change of the others.
func (c commands) changeNodes(cmd *cobra.Command, names []string, change httpclient.NodeChange, reason, done string) error {
	var faults []error
	for _, name := range names {
		err := c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			ref, err := findNode(ctx, client, name)
			if err != nil {
				return err
			}
			settings, err := client.ChangeNode(ctx, ref, change, c.origin(reason))
			if err != nil {
				return adviseUnknown(err)
			}
			return c.print(api.ChangedNode{Ref: ref, Settings: settings}, "node %s %s", nodeName(ref), done)
		})
		if err != nil {
			faults = append(faults, fmt.Errorf("node %s: %w", render.Value(name), err))
		}
	}
	return errors.Join(faults...)
}

func (c commands) pauseCommand() *cobra.Command {
	return c.pausesCommand(&cobra.Command{
		Use:   "pause NODE... | --region REGION",
		Short: "Stop the destructive work of daemons on the games of a node or region",
		Long: `Pause stops the work that daemons do by themselves on the games of a node or region: they
restart no crashed or unhealthy game, remove no container, clean up and delete no game, and
reschedule none if a node is lost. Records still follow what runs, and requests of users are
carried out.

Use it while you work on a machine or its engine by hand. The pause survives restarts of the
daemons, until resume ends it. "rtmanager nodes" shows it, and "rtmanager drift" what it
blocks.`,
		Example: `  rtmanager pause eu/eu-3 --reason "disk is being replaced"
  rtmanager pause --region eu --reason "network maintenance"`,
	}, httpclient.NodePause, "paused")
}

func (c commands) resumeCommand() *cobra.Command {
	return c.pausesCommand(&cobra.Command{
		Use:   "resume NODE... | --region REGION",
		Short: "End the pause of a node or region",
		Long: `Resume ends a pause. The pause of a region and those of its nodes are independent: a node
is paused while either is.`,
		Example: `  rtmanager resume eu/eu-3
  rtmanager resume --region eu`,
	}, httpclient.NodeResume, "resumed")
}

// pausesCommand completes a command that makes one change of nodes or of a region.
func (c commands) pausesCommand(cmd *cobra.Command, change httpclient.NodeChange, done string) *cobra.Command {
	var reason, region string
	cmd.Flags().StringVar(&reason, "reason", "", "reason, for other operators and the audit log")
	cmd.Flags().StringVar(&region, "region", "", "the `REGION`, in place of nodes")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		switch {
		case (region == "") == (len(args) == 0):
			return exit.UsageError{Err: errors.New("name either nodes, such as eu/eu-1, or --region")}
		case region == "":
			return c.changeNodes(cmd, args, change, reason, done)
		}
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			settings, err := client.ChangeRegion(ctx, region, change, c.origin(reason))
			if err != nil {
				return adviseUnknown(err)
			}
			return c.print(api.ChangedRegion{Region: region, Settings: settings}, "region %s %s", render.Value(region), done)
		})
	})
	return cmd
}

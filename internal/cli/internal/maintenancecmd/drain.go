package maintenancecmd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/node"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/wait"
)

// drainFlags are the flags of drain.
type drainFlags struct {
	reason          string
	options         node.DrainOptions
	isDryRun, waits bool
}

func (c commands) drainCommand() *cobra.Command {
	var flags drainFlags
	cmd := &cobra.Command{
		Use:   "drain NODE",
		Short: "Move the games away from a node, or stop them",
		Long: `Drain cordons a node and moves its running games to other nodes: those whose policy for lost
nodes is reschedule, and with --force all of them. Each is down for about as long as a
restart takes. The command waits until the deadline for games that may not be moved; with
--stop-only all games are stopped and none is moved.

The daemon of the node carries the drain out, so it continues if the command is interrupted
or the daemon restarts. "rtmanager uncordon" cancels it. The node stays cordoned after the
drain.

The command prints a line per game. It exits with 0 if no game runs on the node at the end,
and with 1 otherwise. Stopped games stay where they are; "rtmanager move" moves them.`,
		Example: `  rtmanager drain eu/eu-3 --deadline 10m --reason "kernel update"
  rtmanager drain eu/eu-3 --dry-run
  rtmanager drain eu/eu-3 --stop-only --deadline 2m`,
		Args: cobra.ExactArgs(1),
	}
	cmd.Flags().DurationVar(&flags.options.Timeout, "deadline", api.DefaultDrainDeadline, "how long the drain may take")
	cmd.Flags().BoolVar(&flags.options.StopOnly, "stop-only", false, "stop the games, and move none")
	cmd.Flags().BoolVar(&flags.options.Force, "force", false, "also move the games whose policy for lost nodes is not reschedule")
	cmd.Flags().BoolVar(&flags.isDryRun, "dry-run", false, "show what the drain would do, and change nothing")
	cmd.Flags().BoolVar(&flags.waits, "wait", true, "wait until the drain has finished; false only requests it")
	cmd.Flags().StringVar(&flags.reason, "reason", "", "reason, for other operators and the audit log")
	cmd.MarkFlagsMutuallyExclusive("stop-only", "force")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error { return c.drain(cmd.Context(), args[0], flags) })
	return cmd
}

func (c commands) drain(ctx context.Context, name string, flags drainFlags) error {
	var ref node.Ref
	var result api.DrainResult
	err := c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		if ref, err = findNode(ctx, client, name); err != nil {
			return err
		}
		result, err = client.DrainNode(ctx, ref, flags.options, flags.isDryRun, c.origin(flags.reason))
		return adviseUnknown(err)
	})
	switch {
	case err != nil:
		return err
	case flags.isDryRun:
		return c.printPlan(ref, result)
	case !flags.waits:
		return c.print(result, "drain of node %s requested", nodeName(ref))
	}
	return c.followDrain(ctx, ref, result.Settings.Drain.ID)
}

// printPlan prints what a drain would do.
func (c commands) printPlan(ref node.Ref, result api.DrainResult) error {
	if done, err := c.Printer().Encode(result); done {
		return err
	}
	counts := map[node.DrainAction]int{}
	for _, step := range result.Plan {
		counts[step.Action]++
		if _, err := fmt.Fprintf(c.Out, "game %s: %s\n", render.Value(step.GameID), step.Action); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.Out, "node %s: %d to move, %d to stop, %d to wait for; nothing was done\n",
		nodeName(ref), counts[node.DrainMove], counts[node.DrainStop], counts[node.DrainWait])
	return err
}

// Intervals of the reads while a drain is followed, and for how long they may fail.
const (
	pollInterval   = 500 * time.Millisecond
	maxUnavailable = time.Minute
)

// followDrain prints the events of the drain until it has finished.
func (c commands) followDrain(ctx context.Context, ref node.Ref, id string) error {
	printed := 0
	var failingSince time.Time
	for {
		settings, err := c.settingsOf(ctx, ref)
		switch {
		case ctx.Err() != nil:
			return exit.HintError{Err: fmt.Errorf("interrupted; the drain of node %s continues", nodeName(ref)), Hint: "`rtmanager uncordon` cancels it"}
		case errors.Is(err, runtime.ErrUnavailable) && (failingSince.IsZero() || time.Since(failingSince) < maxUnavailable):
			if failingSince.IsZero() {
				failingSince = time.Now()
			}
			_ = wait.For(ctx, pollInterval)
			continue
		case err != nil:
			return err
		}
		failingSince = time.Time{}
		drain := settings.Drain
		if drain == nil || drain.ID != id {
			return fmt.Errorf("the drain of node %s was canceled or replaced", nodeName(ref))
		}
		for _, event := range drain.Events {
			if event.Seq > printed {
				c.printEvent(event)
				printed = event.Seq
			}
		}
		if !drain.IsActive() {
			return c.printDrain(ref, settings)
		}
		_ = wait.For(ctx, pollInterval)
	}
}

// settingsOf returns the settings of the node.
func (c commands) settingsOf(ctx context.Context, ref node.Ref) (settings node.Settings, err error) {
	err = c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		nodes, err := client.Nodes(ctx)
		if err != nil {
			return err
		}
		for _, n := range nodes.Items {
			if n.Ref() == ref {
				settings = n.Settings
				return nil
			}
		}
		return adviseUnknown(&node.UnknownError{Node: ref})
	})
	return settings, err
}

// printEvent prints one line to standard error, which does not mix with a structured result.
func (c commands) printEvent(event node.DrainEvent) {
	text := ""
	if event.Text != "" {
		text = " " + render.Printable(event.Text)
		if event.Result != node.DrainMoved {
			text = ":" + text
		}
	}
	_, _ = fmt.Fprintf(c.Err, "game %s %s%s\n", render.Value(event.GameID), event.Result, text)
}

// printDrain prints the result. It returns an error if games run on the node.
func (c commands) printDrain(ref node.Ref, settings node.Settings) error {
	drain := settings.Drain
	if done, err := c.Printer().Encode(api.ChangedNode{Ref: ref, Settings: settings}); err != nil {
		return err
	} else if !done {
		_, err := fmt.Fprintf(c.Out, "node %s: %d moved, %d stopped, %d failed, %d remaining\n", nodeName(ref), drain.MoveCount, drain.Stopped, drain.Failed, drain.Remaining)
		if err != nil {
			return err
		}
	}
	if drain.Remaining > 0 {
		return exit.HintError{
			Err:  fmt.Errorf("%s still on node %s at the deadline", render.Count(drain.Remaining, "game"), nodeName(ref)),
			Hint: "--force moves games whose policy does not allow it, and --stop-only stops them",
		}
	}
	return nil
}

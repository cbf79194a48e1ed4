// Package rolloutcmd has the command rollout, which changes the image of many games.
//
//	command.go  the commands that change a rollout
//	start.go    start
//	status.go   list and status
//	follow.go   the progress of a rollout
package rolloutcmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/domain/rollout"
	"galaxy/rtmanager/internal/ports"
)

type commands struct{ host.Host }

// Command returns the command.
func Command(h host.Host) *cobra.Command {
	c := commands{h}
	cmd := &cobra.Command{
		Use:   "rollout COMMAND",
		Short: "Change the image of many games, a few at a time",
		Long: `Rollout changes the image of many running games, a few at a time. The daemons carry it
out: it continues without the command, and when the daemon that started it stops. It can be
paused, resumed and undone.`,
		Example: `  rtmanager rollout start --image gameserver:1.0.1 -l env=prod --pause-on-failure -w
  rtmanager rollout list`,
	}
	cmd.AddCommand(c.startCommand(), c.listCommand(), c.statusCommand(), c.pauseCommand(), c.resumeCommand(), c.undoCommand(), c.deleteCommand())
	return cmd
}

// changeFlags are the flags of the commands that change a rollout.
type changeFlags struct {
	reason  string
	follows bool
	resume  api.RolloutResume
}

func (c commands) pauseCommand() *cobra.Command {
	return c.changeCommand(&cobra.Command{
		Use:   "pause ID",
		Short: "Change no further game of a rollout",
		Long: `Pause stops a rollout, or its undo, before the next game. Games whose change is in progress
complete it.`,
		Example: `  rtmanager rollout pause ro-4k2m7x1q9zab --reason "players report lag"`,
	}, rollout.ActionPause)
}

func (c commands) resumeCommand() *cobra.Command {
	return c.changeCommand(&cobra.Command{
		Use:   "resume ID",
		Short: "Continue a paused rollout, or retry the failed games of one",
		Long: `Resume continues a paused rollout, or its paused undo, and retries the games that have
failed, also in a rollout that has ended with failures. With --skip-failed it leaves them as
they are.`,
		Example: `  rtmanager rollout resume ro-4k2m7x1q9zab -w
  rtmanager rollout resume ro-4k2m7x1q9zab --skip-failed`,
	}, rollout.ActionResume)
}

func (c commands) undoCommand() *cobra.Command {
	return c.changeCommand(&cobra.Command{
		Use:   "undo ID",
		Short: "Give the games of a rollout their previous images",
		Long: `Undo gives every game that the rollout has changed its previous image, with the same limits
of games at a time. It may follow a rollout that runs, is paused or has ended. A game that
has another image than that of the rollout is skipped. A failure does not pause an undo.`,
		Example: `  rtmanager rollout undo ro-4k2m7x1q9zab -w`,
	}, rollout.ActionUndo)
}

// changeCommand completes a command for an action on one rollout.
func (c commands) changeCommand(cmd *cobra.Command, action rollout.Action) *cobra.Command {
	var flags changeFlags
	cmd.Flags().StringVar(&flags.reason, "reason", "", "reason, for other operators and the audit log")
	if action != rollout.ActionPause {
		cmd.Flags().BoolVarP(&flags.follows, "watch", "w", false, "print a line per game until the rollout has ended or is paused")
	}
	if action == rollout.ActionResume {
		cmd.Flags().BoolVar(&flags.resume.SkipFailed, "skip-failed", false, "do not retry the games that have failed")
	}
	cmd.Args, cmd.ValidArgsFunction = requireID, c.completeID
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error { return c.change(cmd.Context(), args[0], action, flags) })
	return cmd
}

func (c commands) change(ctx context.Context, id string, action rollout.Action, flags changeFlags) error {
	var changed rollout.Rollout
	err := c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		changed, err = client.ChangeRollout(ctx, id, action, flags.resume, c.origin(flags.reason))
		return advise(err)
	})
	switch {
	case err != nil:
		return err
	case flags.follows:
		return c.follow(ctx, id)
	}
	return c.print(changed, "rollout %s is %s", id, changed.State)
}

func (c commands) deleteCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "delete ID...",
		Short: "Delete rollouts that have ended or are paused",
		Long: `Delete deletes rollouts that have ended, or that are paused and change no game. Their games
stay as they are, and the rollout can not be undone after that. Rollouts that have ended are
deleted after seven days, and beyond the newest 100.`,
		Example:           `  rtmanager rollout delete ro-4k2m7x1q9zab`,
		ValidArgsFunction: c.completeID,
	}
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return exit.UsageError{Err: errors.New("delete requires the ID of a rollout")}
		}
		return nil
	}
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		var errs exit.MultiError
		for _, id := range args {
			err := c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				return advise(client.DeleteRollout(ctx, id, c.origin("")))
			})
			if err == nil {
				_, err = fmt.Fprintf(c.Out, "rollout %s deleted\n", id)
			}
			if err != nil {
				errs = append(errs, err)
			}
		}
		return errs.Join()
	})
	return cmd
}

func requireID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return exit.UsageError{Err: fmt.Errorf("rollout %s requires the ID of one rollout, got %d arguments", cmd.Name(), len(args))}
	}
	return nil
}

// completeID completes the id of a rollout.
func (c commands) completeID(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var ids []string
	_ = c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		found, err := client.Rollouts(ctx)
		for _, r := range found.Items {
			ids = append(ids, r.ID)
		}
		return err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp
}

// origin returns the origin of a change. Its validity is checked by the client.
func (c commands) origin(reason string) ports.Origin {
	return ports.Origin{Actor: c.UserName(), Reason: reason}
}

// advise adds the hint for a rollout that does not exist.
func advise(err error) error {
	if errors.Is(err, rollout.ErrNotFound) {
		return exit.HintError{Err: err, Hint: "`rtmanager rollout list` lists the rollouts"}
	}
	return err
}

// print prints a result of one line, or value in a structured format.
func (c commands) print(value any, format string, args ...any) error {
	if done, err := c.Printer().Encode(value); done {
		return err
	}
	_, err := fmt.Fprintf(c.Out, format+"\n", args...)
	return err
}

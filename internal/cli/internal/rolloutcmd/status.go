package rolloutcmd

import (
	"context"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/rollout"
)

func (c commands) listCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the rollouts",
		Long:    `List lists the rollouts that have not been deleted, the oldest first.`,
		Example: `  rtmanager rollout list`,
	}
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return exit.UsageError{Err: fmt.Errorf("list takes no arguments, got %q", args)}
		}
		var found api.RolloutList
		err := c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) (err error) {
			found, err = client.Rollouts(ctx)
			return err
		})
		if err != nil {
			return err
		}
		return c.Printer().Rollouts(found)
	})
	return cmd
}

func (c commands) statusCommand() *cobra.Command {
	var follows bool
	cmd := &cobra.Command{
		Use:   "status ID",
		Short: "Show a rollout and its games",
		Long: `Status shows a rollout and what it has done with each game. With --watch it prints a line per
game until the rollout has ended or is paused, and exits with 0 only if it has completed, or
was undone, without a failure.`,
		Example: `  rtmanager rollout status ro-4k2m7x1q9zab
  rtmanager rollout status ro-4k2m7x1q9zab -w`,
		Args:              requireID,
		ValidArgsFunction: c.completeID,
	}
	cmd.Flags().BoolVarP(&follows, "watch", "w", false, "print a line per game until the rollout has ended or is paused")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		if follows {
			return c.follow(cmd.Context(), args[0])
		}
		found, err := c.read(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return c.printStatus(found)
	})
	return cmd
}

func (c commands) printStatus(found api.RolloutDetail) error {
	if done, err := c.Printer().Encode(found); done {
		return err
	}
	state := string(found.State)
	if found.IsUndo && found.State == rollout.StatePaused {
		state += " during its undo"
	}
	lines := [][2]string{
		{"Rollout", found.ID}, {"State", state}, {"Message", found.Message}, {"Image", found.Image}, {"Games", found.Selector},
		{"Limits", limitsText(found.Spec)}, {"By", found.By.Name}, {"Reason", found.Reason}, {"Counts", countsText(found.Counts)},
	}
	for _, line := range lines {
		if line[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(c.Out, "%-8s  %s\n", line[0]+":", render.Printable(line[1])); err != nil {
			return err
		}
	}
	for _, game := range found.Games {
		if _, err := fmt.Fprintln(c.Out, "  "+gameLine(game.Game)); err != nil {
			return err
		}
	}
	return nil
}

func limitsText(spec rollout.Spec) string {
	text := strconv.Itoa(spec.MaxParallel) + " at a time"
	if spec.MaxUnavailable > 0 {
		text += fmt.Sprintf(", at most %d not ready", spec.MaxUnavailable)
	}
	if spec.PauseOnFailure {
		text += ", pauses on failure"
	}
	return text
}

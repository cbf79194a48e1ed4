package rolloutcmd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/rollout"
)

// startFlags are the flags of start.
type startFlags struct {
	request           api.RolloutRequest
	selectors         []string
	reason, operation string
	isDryRun, follows bool
}

func (c commands) startCommand() *cobra.Command {
	var f startFlags
	cmd := &cobra.Command{
		Use:   "start --image IMAGE",
		Short: "Start to change the image of the games that filters select",
		Long: `Start gives the running games that the filters select at this moment a new image, as patch
does: a game whose new container fails gets its previous one back. Games that are stopped,
removed or deleted in the meantime are skipped. If the image is of another major or minor
version for one of the games, --force is required.

It changes --max-parallel games at a time. With --max-unavailable it begins no further game
while that many games of the rollout are not ready, including those that are being changed.
With --pause-on-failure the first game that fails pauses the rollout; "rollout undo" gives the
changed games their previous images, and "rollout resume" continues.

The command ends when the rollout is stored; with --watch it prints a line per game and exits
with 0 only if the rollout completes without a failure.`,
		Example: `  rtmanager rollout start --image gameserver:1.0.1 -l env=prod --pause-on-failure -w
  rtmanager rollout start --image gameserver:1.0.1 --current-image 'gameserver:*' --dry-run`,
	}
	cmd.Flags().StringVar(&f.request.Image, "image", "", "the new `IMAGE`")
	cmd.Flags().IntVar(&f.request.MaxParallel, "max-parallel", api.DefaultRolloutParallel, "how many games, `N`, to change at a time")
	cmd.Flags().IntVar(&f.request.MaxUnavailable, "max-unavailable", 0, "how many games of the rollout, `N`, may be not ready; 0 means any number")
	cmd.Flags().BoolVar(&f.request.PauseOnFailure, "pause-on-failure", false, "pause the rollout when a game fails")
	cmd.Flags().BoolVar(&f.request.Force, "force", false, "allow another major or minor version, or versions that cannot be compared")
	cmd.Flags().BoolVar(&f.request.Pull, "pull", false, "pull the image even if a node has it")
	flags.BindSelector(cmd, &f.selectors)
	cmd.Flags().StringSliceVar(&f.request.Regions, "region", nil, "games of this `REGION`; repeatable")
	cmd.Flags().StringSliceVar(&f.request.Nodes, "node", nil, "games of this `NODE`; repeatable")
	cmd.Flags().StringSliceVar(&f.request.Images, "current-image", nil, "games whose record has this `IMAGE`, or a prefix of it followed by *; repeatable")
	cmd.Flags().StringVar(&f.request.GamePrefix, "game-prefix", "", "games whose ids start with `TEXT`")
	cmd.Flags().BoolVar(&f.request.All, "all", false, "all running games")
	cmd.Flags().BoolVar(&f.isDryRun, "dry-run", false, "only list the games and what would be done")
	cmd.Flags().BoolVarP(&f.follows, "watch", "w", false, "print a line per game until the rollout has ended or is paused")
	cmd.Flags().StringVar(&f.reason, "reason", "", "reason, for the history of the games and the audit log")
	cmd.Flags().StringVar(&f.operation, "operation-id", "", "idempotency key `ID`: a second start with it returns the rollout of the first")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		if len(args) > 0 {
			return exit.UsageError{Err: fmt.Errorf("start takes no arguments, got %q; filters select the games", args)}
		}
		if err := f.complete(cmd); err != nil {
			return exit.UsageError{Err: err}
		}
		return c.start(cmd.Context(), f)
	})
	return cmd
}

// complete validates the flags and completes the request.
func (f *startFlags) complete(cmd *cobra.Command) error {
	if f.request.Image == "" {
		return errors.New("--image is required, for example gameserver:1.0.1")
	}
	for name, values := range map[string][]string{
		flags.SelectorFlag: f.selectors, "region": f.request.Regions, "node": f.request.Nodes, "current-image": f.request.Images, "game-prefix": {f.request.GamePrefix},
	} {
		// An empty value usually comes from an unset variable of a script.
		if cmd.Flags().Changed(name) && (len(values) == 0 || slices.Contains(values, "")) {
			return fmt.Errorf("--%s is empty; give it a value or omit it", name)
		}
	}
	if _, err := flags.ParseSelector(f.selectors); err != nil {
		return err
	}
	f.request.Selector = strings.Join(f.selectors, ",")
	if f.request.HasFilter() == f.request.All {
		return errors.New("either filters, such as -l env=prod or --region eu, or --all are required")
	}
	return f.spec().Validate()
}

func (f *startFlags) spec() rollout.Spec {
	return rollout.Spec{Image: f.request.Image, MaxParallel: f.request.MaxParallel, MaxUnavailable: f.request.MaxUnavailable}
}

func (c commands) start(ctx context.Context, f startFlags) error {
	var started rollout.Rollout
	var plan api.RolloutPlan
	err := c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		origin := c.origin(f.reason)
		origin.OperationID = f.operation
		if f.isDryRun {
			plan, err = client.PlanRollout(ctx, f.request, origin)
		} else {
			started, err = client.StartRollout(ctx, f.request, origin)
		}
		return err
	})
	switch {
	case err != nil:
		return err
	case f.isDryRun:
		return c.printPlan(f.request.Image, plan)
	case !f.follows:
		return c.print(started, "rollout %s started: %s", started.ID, render.Count(started.Counts.Total, "game"))
	}
	_, _ = fmt.Fprintf(c.Err, "rtmanager: rollout %s started: %s\n", started.ID, render.Count(started.Counts.Total, "game"))
	return c.follow(ctx, started.ID)
}

// printPlan prints what a rollout would do.
func (c commands) printPlan(image string, plan api.RolloutPlan) error {
	if done, err := c.Printer().Encode(plan); done {
		return err
	}
	changed := 0
	for _, game := range plan.Games {
		text := "unchanged"
		if !game.IsUnchanged {
			text = render.Value(game.CurrentImage) + " to " + render.Value(image)
			changed++
		}
		if _, err := fmt.Fprintf(c.Out, "%s (dry run): %s\n", render.Value(game.GameID), text); err != nil {
			return err
		}
	}
	_, err := fmt.Fprintf(c.Err, "rtmanager: rollout: dry run: %d of %s would be changed; nothing was done\n", changed, render.Count(len(plan.Games), "game"))
	return err
}

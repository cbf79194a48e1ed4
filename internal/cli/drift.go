package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/drift"
	"galaxy/rtmanager/internal/domain/runtime"
)

type driftFlags struct {
	apply, release, yes, isPartial, hasExitCode bool

	filter driftFilter
}

func (a *app) driftCommand() *cobra.Command {
	var flags driftFlags
	cmd := &cobra.Command{
		Use:   "drift",
		Short: "Show differences between records and engines, and apply fixes",
		Long: `Drift collects from every node where records, engine and desired state differ, and
the action that would fix each finding. The daemons apply most actions by themselves. A
finding shows what blocks its action: it must be observed for longer, or the node's
safety brake is engaged, because too many games would lose their record or container at
once (see "serve --help").

The findings of a node that is lost or does not respond are missing. The command names
such nodes on standard error and exits with 5; with --allow-partial it exits with 0.

With --apply each action is applied now, if nothing has changed since the finding was
shown; a finding that has changed is skipped, with exit code 3. The brake does not
block it. With --release-brake the engaged brakes are released, and the nodes apply
their actions by themselves.

Both require confirmation: pass --yes if there is no terminal. With --exit-code the command
exits with 1 if there are findings. Filters select the findings to show or to apply.`,
		Example: `  rtmanager drift
  rtmanager drift -o wide
  rtmanager drift --allow-partial                      # while a node is lost
  rtmanager drift --exit-code --kind orphan --region eu
  rtmanager drift --apply
  rtmanager drift --apply --yes -o json | jq '.results[] | select(.status != "done")'
  rtmanager drift --release-brake --yes`,
		Args: requireNoArguments,
	}
	cmd.Flags().BoolVar(&flags.apply, "apply", false, "apply the actions of the findings")
	cmd.Flags().BoolVar(&flags.release, "release-brake", false, "release the engaged brakes")
	cmd.Flags().BoolVar(&flags.yes, "yes", false, "skip the confirmation")
	cmd.Flags().BoolVar(&flags.isPartial, "allow-partial", false, "exit with 0 although the findings of nodes that do not respond are missing")
	cmd.Flags().BoolVar(&flags.hasExitCode, "exit-code", false, "exit with 1 if there are findings")
	flags.filter.bind(cmd)
	cmd.MarkFlagsMutuallyExclusive("apply", "release-brake", "exit-code")
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		if flags.apply && !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		return a.drift(cmd.Context(), flags)
	})
	return cmd
}

func (a *app) drift(ctx context.Context, flags driftFlags) error {
	if (flags.apply || flags.release) && !flags.yes && !a.streams.IsTerminal {
		return exit.UsageError{Err: errors.New("not a terminal: pass --yes to confirm")}
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		report, err := client.Drift(ctx)
		if err != nil {
			return err
		}
		report = flags.filter.apply(report)
		a.reportBrakes(report, !flags.release && !flags.apply)
		switch {
		case flags.apply:
			err = a.applyDrift(ctx, client, report, flags.yes)
		case flags.release:
			err = a.releaseBrakes(ctx, client, report, flags.yes)
		default:
			err = a.printer().Drift(report)
		}
		if err == nil && !flags.isPartial {
			err = missingNodesError(report)
		}
		if err == nil && flags.hasExitCode && len(report.Findings) > 0 {
			err = exit.ErrNegative
		}
		return err
	})
}

// missingNodesError returns a runtime.ErrPartial with the number of nodes whose findings the
// report lacks, and nil if it lacks none.
func missingNodesError(report drift.Report) error {
	if len(report.Missing) == 0 {
		return nil
	}
	err := fmt.Errorf("%w: the findings of %s", runtime.ErrPartial, render.Count(len(report.Missing), "node"))
	return exit.HintError{Err: err, Hint: "--allow-partial accepts that; `rtmanager nodes` shows the state of each node"}
}

// reportBrakes prints the engaged brakes, and the nodes that did not respond.
func (a *app) reportBrakes(report drift.Report, withHint bool) {
	for _, b := range report.Brakes {
		a.printMessagef("drift", "the brake of %s is engaged since %s: %s", render.Value(b.Region+"/"+b.Node), render.Time(b.Since), render.OneLine(b.Reason))
	}
	for _, m := range report.Missing {
		a.printMessagef("drift", "the findings of %s are missing: %s", render.Value(m.Region+"/"+m.Node), render.OneLine(m.Reason))
	}
	if len(report.Brakes) > 0 && withHint {
		fmt.Fprintln(a.streams.Err, "hint: `rtmanager drift --release-brake` lets the nodes apply the blocked actions; first make sure that the findings are correct")
	}
}

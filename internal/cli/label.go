package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// labelFlags are the flags of label.
type labelFlags struct {
	origin    flags.Origin
	selection selection.Flags
	isQuiet   bool
}

func (a *app) labelCommand() *cobra.Command {
	var flags labelFlags
	cmd := &cobra.Command{
		Use:   "label GAME... KEY=VALUE... KEY-...",
		Short: "Change the labels of games",
		Long: `Label adds, replaces and removes labels of games: KEY=VALUE sets a label, and KEY- removes
it. Labels that are not named are kept. Without filters the first argument is a game, and so
is every one before the first KEY=VALUE or KEY-. The topic labels describes keys, values and
selectors.

A change does not affect the container of the game. It is rejected while an operation on the
game is in progress. Labels are kept by every operation; a start that names labels replaces them.`,
		Example: `  rtmanager label game-1 env=prod mode=ranked
  rtmanager label game-1 game-2 env=dev canary-
  rtmanager label -l env=dev,mode=ranked --region eu season=7 --dry-run
  rtmanager label --all canary-`,
		Args: func(cmd *cobra.Command, args []string) error {
			games, change := splitLabelArguments(args, flags.selection.HasFilters())
			if len(change) == 0 {
				return exit.UsageError{Err: errors.New("label requires KEY=VALUE or KEY-, after a GAME or with a filter such as -l")}
			}
			return flags.selection.CheckArguments(cmd.Name(), games)
		},
		ValidArgsFunction: a.completer().LabelArguments,
	}
	flags.origin.Bind(cmd)
	flags.selection.Bind(cmd, selection.Verb{})
	cmd.Flags().BoolVarP(&flags.isQuiet, "quiet", "q", false, "suppress the summary")
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		games, arguments := splitLabelArguments(args, flags.selection.HasFilters())
		change, err := parseLabelChange(arguments)
		if err != nil {
			return err
		}
		if games, err = a.selectGames(cmd.Context(), games); err != nil {
			return err
		}
		if err := errors.Join(flags.origin.Validate(), flags.selection.Validate(games)); err != nil {
			return err
		}
		return a.changeLabels(cmd.Context(), games, change, &flags)
	})
	return cmd
}

// splitLabelArguments splits the arguments into games and changes of labels. All of them are
// changes if filters select the games.
func splitLabelArguments(args []string, hasFilters bool) (games, changes []string) {
	if hasFilters {
		return nil, args
	}
	for i, arg := range args {
		if i > 0 && (strings.Contains(arg, "=") || strings.HasSuffix(arg, "-")) {
			return args[:i], args[i:]
		}
	}
	return args, nil
}

// parseLabelChange parses arguments of the forms KEY=VALUE and KEY-.
func parseLabelChange(arguments []string) (api.LabelChange, error) {
	var change api.LabelChange
	var pairs []string
	for _, argument := range arguments {
		if key, isRemoval := strings.CutSuffix(argument, "-"); isRemoval && !strings.Contains(argument, "=") {
			if err := runtime.ValidateLabelKey("label", key); err != nil {
				return change, err
			}
			change.Remove = append(change.Remove, key)
			continue
		}
		pairs = append(pairs, argument)
	}
	var err error
	change.Set, err = flags.ParseLabels("label", pairs)
	return change, err
}

// changeLabels changes the labels of the games, or of those that the filters select.
func (a *app) changeLabels(ctx context.Context, games []string, change api.LabelChange, flags *labelFlags) error {
	return a.withClient(httpclient.Config{}, func(client *httpclient.Client) error {
		changeOne := func(ctx context.Context, gameID string, origin ports.Origin) (*runtime.VersionedRecord, error) {
			record, err := client.ChangeLabels(ctx, gameID, change, origin)
			if err != nil {
				return nil, exit.WriteError{Err: err, UnknownHint: exit.RetryHint(origin)}
			}
			return &record, nil
		}
		origin := flags.origin.PortsOrigin(a.userName())
		if len(games) == 1 && !flags.selection.IsDryRun {
			ctx, cancel := a.globals.withTimeout(ctx)
			defer cancel()
			record, err := changeOne(ctx, games[0], origin)
			if err != nil {
				return err
			}
			return a.printer().Records([]runtime.VersionedRecord{*record}, labeledSummary)
		}
		run := a.selectedRun("label", &flags.selection, runtime.Statuses(), flags.isQuiet)
		run.summary = labeledSummary
		return run.run(ctx, client, games, func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error) {
			origin := flags.origin.PortsOrigin(a.userName())
			return changeOne(ctx, gameID, gameOrigin(origin, flags.origin.OperationID, gameID))
		})
	})
}

// labeledSummary describes a record after a change of its labels, on one line.
func labeledSummary(v runtime.VersionedRecord) string {
	return fmt.Sprintf("%s labeled %s, revision %d", render.Value(v.Record.GameID), render.Labels(v.Record.Labels), v.Revision)
}

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
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) labelCommand() *cobra.Command {
	var origin flags.Origin
	cmd := &cobra.Command{
		Use:   "label GAME... KEY=VALUE... KEY-...",
		Short: "Change the labels of games",
		Long: `Label adds, replaces and removes labels of games: KEY=VALUE sets a label, and KEY- removes
it. Labels that are not named are kept. The first argument is a game, and so is every one
before the first KEY=VALUE or KEY-. The topic labels describes keys, values and selectors.

A change does not affect the container of the game. It is rejected while an operation on the
game is in progress. Labels are kept by every operation; a start that names labels replaces them.`,
		Example: `  rtmanager label game-1 env=prod mode=ranked
  rtmanager label game-1 game-2 env=dev canary-
  rtmanager label game-1 env-`,
		Args: func(_ *cobra.Command, args []string) error {
			if games, change := splitLabelArguments(args); len(games) == 0 || len(change) == 0 {
				return exit.UsageError{Err: errors.New("label requires a GAME, and KEY=VALUE or KEY-")}
			}
			return nil
		},
		ValidArgsFunction: a.completeGame,
	}
	origin.Bind(cmd)
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		games, arguments := splitLabelArguments(args)
		change, err := parseLabelChange(arguments)
		if err := errors.Join(err, origin.Validate()); err != nil {
			return err
		}
		if games, err = a.selectGames(cmd.Context(), games); err != nil {
			return err
		}
		return a.changeLabels(cmd.Context(), games, change, origin)
	})
	return cmd
}

// splitLabelArguments splits the arguments into games and changes of labels.
func splitLabelArguments(args []string) (games, changes []string) {
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

// changeLabels changes the labels of each game. It continues after an error, and returns all of
// them.
func (a *app) changeLabels(ctx context.Context, games []string, change api.LabelChange, origin flags.Origin) error {
	var errs []error
	for _, gameID := range games {
		err := a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
			record, err := client.ChangeLabels(ctx, gameID, change, origin.PortsOrigin(a.userName()))
			if err != nil {
				return err
			}
			return a.printer().Records([]runtime.VersionedRecord{record}, func(v runtime.VersionedRecord) string {
				return fmt.Sprintf("%s labeled %s, revision %d", render.Value(gameID), render.Labels(v.Record.Labels), v.Revision)
			})
		})
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

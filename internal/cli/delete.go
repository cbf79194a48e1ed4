package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type deleteFlags struct {
	origin      flags.Origin
	ifRevision  int64
	isConfirmed bool
}

func (a *app) deleteCommand() *cobra.Command {
	var flags deleteFlags
	cmd := &cobra.Command{
		Use:   "delete GAME...",
		Short: "Delete removed games with their history",
		Long: `Delete deletes the record and the history of removed games for good, and their state
directories on the node. It rejects a game that is not removed: stop it and clean it up
first. A game of the same id that is started later is a new game. The daemons delete
removed games by themselves after the time that is set for serve.

Delete requires confirmation: pass --yes if there is no terminal. Each game is deleted on
its own; if some fail, the exit code is the highest of all. A deletion also works while
the store is read-only because its space quota is used up.`,
		Example: `  rtmanager stop game-1 && rtmanager cleanup game-1 && rtmanager delete game-1
  rtmanager delete game-1 game-2 --yes
  rtmanager delete game-1 --if-revision 42 --yes`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("%s requires one GAME or more", cmd.Name())
			}
			return nil
		},
		ValidArgsFunction: a.completeGame,
	}
	cmd.Flags().Int64Var(&flags.ifRevision, "if-revision", 0, "delete only if the record has this `REVISION`; only for one GAME")
	cmd.Flags().BoolVar(&flags.isConfirmed, "yes", false, "skip the confirmation")
	flags.origin.Bind(cmd)
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		var ifRevision *int64
		if cmd.Flags().Changed("if-revision") {
			ifRevision = &flags.ifRevision
		}
		games, err := a.selectGames(cmd.Context(), args)
		if err != nil {
			return err
		}
		return a.delete(cmd.Context(), games, ifRevision, flags)
	})
	return cmd
}

func (a *app) delete(ctx context.Context, games []string, ifRevision *int64, flags deleteFlags) error {
	if err := validateDeletion(games, ifRevision, flags); err != nil {
		return err
	}
	if !flags.isConfirmed {
		if !a.streams.IsTerminal {
			return exit.UsageError{Err: errors.New("not a terminal: pass --yes to confirm")}
		}
		if !a.confirm(fmt.Sprintf("Delete %s with history and state?", render.Count(len(games), "game"))) {
			return errNotConfirmed
		}
	}
	return a.withClient(httpclient.Config{}, func(client *httpclient.Client) error {
		var errs exit.MultiError
		for _, gameID := range games {
			input := ports.DeleteInput{GameID: gameID, IfRevision: ifRevision, Origin: flags.origin.PortsOrigin(a.userName())}
			err := a.deleteGame(ctx, client, input)
			if err != nil && len(games) > 1 {
				err = fmt.Errorf("%s: %w", render.Value(gameID), err)
			}
			if err != nil {
				errs = append(errs, err)
			}
			if ctx.Err() != nil {
				break
			}
		}
		return errs.Join()
	})
}

// validateDeletion rejects invalid input before anything is deleted.
func validateDeletion(games []string, ifRevision *int64, flags deleteFlags) error {
	errs := []error{flags.origin.Validate()}
	for _, gameID := range games {
		errs = append(errs, runtime.ValidateGameID(gameID))
	}
	if ifRevision != nil && *ifRevision < 1 {
		errs = append(errs, &runtime.InvalidError{Field: "--if-revision", Reason: fmt.Sprintf("is %d; use the revision of a record, 1 or more", *ifRevision)})
	}
	if ifRevision != nil && len(games) > 1 {
		errs = append(errs, &runtime.InvalidError{Field: "--if-revision", Reason: "is only for one GAME"})
	}
	return errors.Join(errs...)
}

// deleteGame deletes one game within --timeout, and prints a line.
func (a *app) deleteGame(ctx context.Context, client *httpclient.Client, input ports.DeleteInput) error {
	ctx, cancel := a.globals.withTimeout(ctx)
	defer cancel()
	if err := client.Delete(ctx, input); err != nil {
		return exit.WriteError{Err: err, UnknownHint: exit.RetryHint(input.Origin)}
	}
	return a.printer().Deleted(input.GameID)
}

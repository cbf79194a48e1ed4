package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// removed is the status of games that delete is for without --force.
var removed = []runtime.Status{runtime.StatusRemoved}

// forcedTimeout bounds a forced deletion. It is longer than a daemon waits for an operation.
const forcedTimeout = 11 * time.Minute

type deleteFlags struct {
	origin     flags.Origin
	selection  selection.Flags
	ifRevision int64
	isForced   bool
}

// accepts returns the statuses of the games that the command is for, nil for all.
func (f *deleteFlags) accepts() []runtime.Status {
	if f.isForced {
		return nil
	}
	return removed
}

func (a *app) deleteCommand() *cobra.Command {
	var flags deleteFlags
	cmd := &cobra.Command{
		Use:   "delete GAME...",
		Short: "Delete removed games, or any by force, with their history",
		Long: `Delete deletes the record and the history of removed games for good, and their state
directories on the node. It rejects a game that is not removed: stop it and clean it up
first, or pass --force, which does both on the node of the game before the deletion. If a
forced deletion is interrupted, the same command continues it. A game whose node is absent
is rejected; "nodes remove" gives up the games of a node. With --force, filters select games
of any status.

A game of the same id that is started later is a new game. The daemons delete removed games
by themselves after the time that is set for serve.

Delete requires confirmation: pass --yes if there is no terminal. A deletion also works
while the store is read-only because its space quota is used up.`,
		Example: `  rtmanager stop game-1 && rtmanager cleanup game-1 && rtmanager delete game-1
  rtmanager delete game-1 game-2 --yes
  rtmanager delete game-1 --force --yes
  rtmanager delete -l env=test --force
  rtmanager delete game-1 --if-revision 42 --yes
  rtmanager delete --region eu --max-parallel 20 --yes`,
		Args:              func(cmd *cobra.Command, args []string) error { return flags.selection.CheckArguments(cmd.Name(), args) },
		ValidArgsFunction: a.completeGames,
	}
	cmd.Flags().Int64Var(&flags.ifRevision, "if-revision", 0, "delete only if the record has this `REVISION`; only for one GAME")
	cmd.Flags().BoolVar(&flags.isForced, "force", false, "stop and clean up games that are not removed before they are deleted")
	flags.selection.Bind(cmd, selection.Verb{Statuses: removed, IsDestructive: true})
	flags.origin.Bind(cmd)
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		var ifRevision *int64
		if cmd.Flags().Changed("if-revision") {
			ifRevision = &flags.ifRevision
		}
		if flags.isForced {
			flags.selection.SetStatuses(nil)
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
	if !flags.selection.HasFilters() && !flags.selection.IsDryRun {
		question := fmt.Sprintf("Delete %s with history and state?", render.Count(len(games), "game"))
		if flags.isForced {
			question = fmt.Sprintf("Stop and delete %s with history and state?", render.Count(len(games), "game"))
		}
		if err := a.requireConfirmation(question, flags.selection.IsConfirmed); err != nil {
			return err
		}
	}
	var cfg httpclient.Config
	if flags.isForced {
		cfg.RequestTimeout, cfg.WriteTimeout = forcedTimeout, forcedTimeout
	}
	return a.withClient(cfg, func(client *httpclient.Client) error {
		remove := func(ctx context.Context, input ports.DeleteInput) error {
			return withForceHint(client.Delete(ctx, input))
		}
		if flags.isForced {
			remove = client.ForceDelete
		}
		if len(games) == 1 && !flags.selection.IsDryRun {
			return a.deleteGame(ctx, remove, flags.input(a, games[0], ifRevision))
		}
		return a.selectedRun("delete", &flags.selection, flags.accepts(), false).run(ctx, client, games, func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error) {
			return nil, a.deleteGame(ctx, remove, flags.input(a, gameID, ifRevision))
		})
	})
}

// input returns the input that deletes the game.
func (f *deleteFlags) input(a *app, gameID string, ifRevision *int64) ports.DeleteInput {
	return ports.DeleteInput{GameID: gameID, IfRevision: ifRevision, Origin: f.origin.PortsOrigin(a.userName())}
}

// validateDeletion rejects invalid input before anything is deleted.
func validateDeletion(games []string, ifRevision *int64, flags deleteFlags) error {
	errs := []error{flags.origin.Validate(), flags.selection.Validate(games)}
	if ifRevision != nil && *ifRevision < 1 {
		errs = append(errs, &runtime.InvalidError{Field: "--if-revision", Reason: fmt.Sprintf("is %d; use the revision of a record, 1 or more", *ifRevision)})
	}
	if ifRevision != nil && flags.isForced {
		errs = append(errs, &runtime.InvalidError{Field: "--if-revision", Reason: "cannot be used with --force, which changes the record"})
	}
	if ifRevision != nil && len(games) != 1 {
		errs = append(errs, &runtime.InvalidError{Field: "--if-revision", Reason: "is only for one GAME"})
	}
	return errors.Join(errs...)
}

// deleteGame deletes one game within --timeout, and prints a line.
func (a *app) deleteGame(ctx context.Context, remove func(context.Context, ports.DeleteInput) error, input ports.DeleteInput) error {
	ctx, cancel := a.globals.withTimeout(ctx)
	defer cancel()
	if err := remove(ctx, input); err != nil {
		return exit.WriteError{Err: err, UnknownHint: exit.RetryHint(input.Origin)}
	}
	return a.printer().Deleted(input.GameID)
}

// withForceHint adds a hint to the rejection of a game that is not removed.
func withForceHint(err error) error {
	if rejected, isRejected := errors.AsType[*operation.RejectedError](err); isRejected && rejected.Status != runtime.StatusRemoved {
		return exit.HintError{Err: err, Hint: "`rtmanager delete --force` stops a game and cleans it up first"}
	}
	return err
}

package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) getCommand() *cobra.Command {
	var consistency flags.Consistency
	var selected selection.Flags
	var hasSpec, isFollowed bool
	cmd := &cobra.Command{
		Use:   "get GAME",
		Short: "Show one record, or how games are run",
		Long: `Get shows a game's record and the revision of its last change.

With -o json or yaml it prints the record with its revision, in the format that put -f
reads.

By default the read is linearizable: it includes every write that was acknowledged
before. With --consistency local it comes from the daemon's cache, which may be
slightly stale but works without etcd.

With --watch it shows the record as a row of list, and then a row for each change.

With --spec it shows how the game is run, as a file for apply and diff. Then it accepts
several GAMEs, or filters, which select games that are running or stopped.`,
		Example: `  rtmanager get game-1
  rtmanager get game-1 -o yaml > game-1.yaml
  rtmanager get game-1 -o json | jq -r .current_container_id
  rtmanager get game-1 --watch
  rtmanager get game-1 --spec > game-1.yaml
  rtmanager get --all --spec -o yaml > games.yaml`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case hasSpec:
				return selected.CheckArguments(cmd.Name(), args)
			case selected.HasFilters():
				return errors.New("filters of get require --spec; list shows the records of several games")
			}
			return requireOneGame(cmd, args)
		},
		ValidArgsFunction: a.completeGames,
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			local, err := consistency.IsLocal()
			if err != nil {
				return err
			}
			if hasSpec && isFollowed {
				return exit.UsageError{Err: errors.New("--watch and --spec exclude each other")}
			}
			if hasSpec {
				return a.getSpecs(cmd.Context(), args, &selected)
			}
			gameID, err := a.selectGame(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if isFollowed {
				if err := a.prepareFollow(cmd); err != nil {
					return err
				}
				return a.followGame(cmd.Context(), gameID)
			}
			return a.get(cmd.Context(), gameID, local)
		}),
	}
	bindFollow(cmd, &isFollowed)
	consistency.Bind(cmd)
	selected.BindFilters(cmd, selection.Verb{Statuses: present})
	cmd.Flags().BoolVar(&hasSpec, "spec", false, "show how the games are run, as a file for apply")
	return cmd
}

// getSpecs prints the manifests of the games, or of those that the filters select.
func (a *app) getSpecs(ctx context.Context, games []string, selected *selection.Flags) error {
	games, err := a.selectGames(ctx, games)
	if err != nil {
		return err
	}
	if err := selected.Validate(games); err != nil {
		return err
	}
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		if selected.HasFilters() {
			records, err := selected.List(ctx, client)
			if err != nil {
				return err
			}
			games = selection.IDs(records)
		}
		specs, err := client.Specs(ctx, selection.Unique(games))
		if err != nil {
			return err
		}
		manifests := make([]any, 0, len(specs))
		var errs exit.MultiError
		for _, spec := range specs {
			switch {
			case spec.Spec != nil:
				manifests = append(manifests, manifest.GameOf(spec))
			case spec.Record == nil:
				errs = append(errs, fmt.Errorf("%s: %w", render.Value(spec.GameID), runtime.ErrNotFound))
			default:
				errs = append(errs, fmt.Errorf("%s: the game has no spec; no operation has started it", render.Value(spec.GameID)))
			}
		}
		return errors.Join(a.printer().Manifests(manifests), errs.Join())
	})
}

func (a *app) get(ctx context.Context, gameID string, isLocal bool) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		read := client.GetVersioned
		if isLocal {
			read = func(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
				found, _, err := client.GetLocal(ctx, gameID)
				return found, err
			}
		}
		found, err := read(ctx, gameID)
		if err != nil {
			return err
		}
		return a.printer().Record(found)
	})
}

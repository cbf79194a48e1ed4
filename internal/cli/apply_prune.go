package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/manifest"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// pruneFlags select the games that are removed because no file contains them.
type pruneFlags struct {
	isEnabled, isConfirmed bool
	selectors              []string
}

// bind declares the flags. A command that changes nothing needs no confirmation.
func (f *pruneFlags) bind(cmd *cobra.Command, confirms bool) {
	if confirms {
		cmd.Flags().BoolVar(&f.isConfirmed, "yes", false, "skip the confirmation of --prune")
	}
	usage := "also show the games of the selector -l that apply --prune would stop and remove"
	if confirms {
		usage = "also stop and remove the games of the selector -l that the files do not contain"
	}
	cmd.Flags().BoolVar(&f.isEnabled, "prune", false, usage)
	flags.BindSelector(cmd, &f.selectors)
}

// validate returns an error unless --prune and a selector are given together. A selector that is
// empty would select every game.
func (f *pruneFlags) validate() error {
	switch {
	case !f.isEnabled && len(f.selectors) == 0:
		return nil
	case !f.isEnabled:
		return &runtime.InvalidError{Field: "--selector", Reason: "is for --prune only; the files name the games to apply"}
	case len(f.selectors) == 0 || slices.ContainsFunc(f.selectors, func(s string) bool { return strings.TrimSpace(s) == "" }):
		return &runtime.InvalidError{Field: "--prune", Reason: "requires a selector, such as -l app=lobby: only games that match it are removed"}
	}
	_, err := flags.ParseSelector(f.selectors)
	return err
}

// selectGames returns the games that are to be removed: those of the selector that have a container and
// that the files do not contain.
func (f *pruneFlags) selectGames(ctx context.Context, client *httpclient.Client, games []manifest.Game) ([]runtime.VersionedRecord, error) {
	if !f.isEnabled {
		return nil, nil
	}
	labels, err := flags.ParseSelector(f.selectors)
	if err != nil {
		return nil, err
	}
	found, _, err := selection.ListAt(ctx, client, ports.RecordFilter{Statuses: []runtime.Status{runtime.StatusRunning, runtime.StatusStopped}, Labels: labels})
	if err != nil {
		return nil, err
	}
	isNamed := map[string]bool{}
	for _, game := range games {
		isNamed[game.GameID] = true
	}
	return slices.DeleteFunc(found, func(v runtime.VersionedRecord) bool { return isNamed[v.Record.GameID] }), nil
}

// selectPruned returns the games that apply is to remove, after a confirmation.
func (a *app) selectPruned(ctx context.Context, client *httpclient.Client, games []manifest.Game, given applyFlags) (map[string]runtime.VersionedRecord, []string, error) {
	readCtx, cancel := context.WithTimeout(ctx, a.globals.readTimeout())
	defer cancel()
	records, err := given.prune.selectGames(readCtx, client, games)
	if err != nil || len(records) == 0 {
		return nil, nil, err
	}
	if !given.isDryRun {
		ids := selection.IDs(records)
		if len(ids) > maxNamedGames {
			ids = append(ids[:maxNamedGames:maxNamedGames], "…")
		}
		question := fmt.Sprintf("Apply, and then stop and remove %s that no file contains (%s)?", render.Count(len(records), "game"), render.Printable(strings.Join(ids, ", ")))
		if err := a.requireConfirmation(question, given.prune.isConfirmed); err != nil {
			return nil, nil, err
		}
	}
	pruned := make(map[string]runtime.VersionedRecord, len(records))
	for _, found := range records {
		pruned[found.Record.GameID] = found
	}
	return pruned, selection.IDs(records), nil
}

// maxNamedGames is the number of games that a question names.
const maxNamedGames = 5

// pruneGame stops and cleans up a game.
func (a *app) pruneGame(ctx context.Context, client *httpclient.Client, found runtime.VersionedRecord, given applyFlags) (output.Applied, error) {
	gameID := found.Record.GameID
	pruned := output.Applied{GameID: gameID, Result: string(manifest.ResultPruned), Record: &found, IsDryRun: given.isDryRun}
	if given.isDryRun {
		return pruned, nil
	}
	for _, kind := range []operation.Kind{operation.KindStop, operation.KindCleanup} {
		if kind == operation.KindStop && found.Record.Status != runtime.StatusRunning {
			continue
		}
		record, err := a.runOperation(ctx, client, httpclient.Operation{
			OperationRequest: ports.OperationRequest{GameID: gameID, Kind: kind, Origin: a.partOrigin(given.origin, gameID, "-"+string(kind))}, Until: httpclient.WaitDone,
		}, true)
		switch {
		case errors.Is(err, runtime.ErrNotFound):
			return pruned, nil // another user has deleted it
		case err != nil:
			return output.Applied{}, err
		case record != nil:
			pruned.Record = record
		}
	}
	return pruned, nil
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// operateSelected runs the operation of each game, or of each game that the filters select.
func (a *app) operateSelected(cmd *cobra.Command, verb operationVerb, create newOperation, games []string, flags operationFlags) error {
	run := a.selectedRun(cmd.Name(), &flags.selection, verb.accepts, flags.isQuiet)
	return a.withClient(httpclient.Config{WriteTimeout: outcomeTimeout}, func(client *httpclient.Client) error {
		if verb.explain != nil && flags.selection.IsDryRun && !flags.selection.HasFilters() {
			err := a.explainGames(cmd.Context(), client, cmd.Name(), games, create, verb.explain)
			if !errors.Is(err, errNotExplained) {
				return err
			}
		}
		return run.run(cmd.Context(), client, games, func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error) {
			o, err := create(ctx, gameID)
			if err != nil {
				return nil, err
			}
			o.Origin = gameOrigin(flags.origin.PortsOrigin(a.userName()), flags.origin.OperationID, gameID)
			return a.runOperation(ctx, client, o, true)
		})
	})
}

// gameOrigin returns the origin of the write to one of several games: operation ids that the user
// gave are made distinct by the game.
func gameOrigin(origin ports.Origin, operationID, gameID string) ports.Origin {
	if operationID != "" {
		origin.OperationID = flags.GameOperationID(operationID, gameID)
	}
	return origin
}

// selectedRun is one run of a command for games of arguments or filters. The result of a game is
// its record, nil if there is none.
type selectedRun struct {
	bulk[*runtime.VersionedRecord]

	flags     *selection.Flags
	accepts   []runtime.Status          // see operationVerb
	tableRows []runtime.VersionedRecord // of tables, which are printed at the end
	// summary describes a resulting record, on one line.
	summary func(runtime.VersionedRecord) string
}

func (a *app) selectedRun(name string, flags *selection.Flags, accepts []runtime.Status, isQuiet bool) *selectedRun {
	r := &selectedRun{flags: flags, accepts: accepts, summary: operationSummary(operation.Kind(name))}
	r.bulk = bulk[*runtime.VersionedRecord]{app: a, name: name, parallel: flags.MaxParallel, isQuiet: isQuiet, print: r.printRecord}
	return r
}

// run selects the games, requires a confirmation, and calls act for each. act returns the
// resulting record, or nil if there is none.
func (r *selectedRun) run(ctx context.Context, client *httpclient.Client, games []string, act func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error)) error {
	games = selection.Unique(games)
	if r.flags.HasFilters() {
		records, err := r.list(ctx, client)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			r.app.printMessagef(r.name, "no games match")
			return nil
		}
		if r.flags.IsDryRun {
			return r.listActions(records)
		}
		games = selection.IDs(records)
		if err := r.confirm(records); err != nil {
			return err
		}
	}
	if r.flags.IsDryRun {
		return r.dryRun(ctx, client, games)
	}
	err := r.bulk.run(ctx, games, act)
	if len(r.tableRows) > 0 {
		return errors.Join(r.app.printer().Records(r.tableRows, nil), err)
	}
	return err
}

// list returns the records that the filters select, within --timeout or 30 seconds.
func (r *selectedRun) list(ctx context.Context, client *httpclient.Client) ([]runtime.VersionedRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, r.app.globals.readTimeout())
	defer cancel()
	return r.flags.List(ctx, client)
}

// confirm requires a confirmation of a destructive command that selects games by filters.
func (r *selectedRun) confirm(records []runtime.VersionedRecord) error {
	if !r.flags.RequiresConfirmation() {
		return nil
	}
	return r.app.requireConfirmation(fmt.Sprintf("%s %s?", capitalize(r.name), render.Count(len(records), "game")), false)
}

func capitalize(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

func (r *selectedRun) printRecord(record *runtime.VersionedRecord) error {
	if record == nil {
		return nil
	}
	if format := output.Format(r.app.globals.output); format == output.FormatTable || format == output.FormatWide {
		r.tableRows = append(r.tableRows, *record)
		return nil
	}
	return r.app.printer().Records([]runtime.VersionedRecord{*record}, r.summary)
}

// dryRun reads the record of each game and lists what the command would do.
func (r *selectedRun) dryRun(ctx context.Context, client *httpclient.Client, games []string) error {
	found := map[string]selection.Result[runtime.VersionedRecord]{}
	selection.Run(ctx, games, r.parallel, func(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
		ctx, cancel := r.app.globals.withTimeout(ctx)
		defer cancel()
		return client.GetVersioned(ctx, gameID)
	}, func(result selection.Result[runtime.VersionedRecord]) { found[result.GameID] = result })
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var records []runtime.VersionedRecord
	for _, gameID := range games {
		switch result := found[gameID]; {
		case result.Err == nil:
			records = append(records, result.Value)
		case errors.Is(result.Err, runtime.ErrNotFound) && len(r.accepts) == 0:
			records = append(records, runtime.VersionedRecord{Record: runtime.RuntimeRecord{GameID: gameID}})
		default:
			r.fail(gameID, result.Err)
		}
	}
	return r.listActions(records)
}

// listActions prints what the command would do with the games.
func (r *selectedRun) listActions(records []runtime.VersionedRecord) error {
	accepted := slices.DeleteFunc(slices.Clone(records), func(v runtime.VersionedRecord) bool { return !r.isAccepted(v.Record) })
	if err := r.app.printer().Records(accepted, r.actionLine); err != nil {
		return err
	}
	for _, v := range records {
		if !r.isAccepted(v.Record) {
			r.fail(v.Record.GameID, &operation.RejectedError{GameID: v.Record.GameID, Operation: r.name, Status: v.Record.Status, Reason: "the game is " + string(v.Record.Status)})
		}
	}
	summary := fmt.Sprintf("dry run: %s, nothing was done", render.Count(len(accepted), "game"))
	if len(r.errs) > 0 {
		return exit.SummaryError{Summary: fmt.Sprintf("%s: %s; %d would fail", r.name, summary, len(r.errs)), Errs: r.errs}
	}
	r.app.printMessagef(r.name, "%s", summary)
	return nil
}

func (r *selectedRun) isAccepted(record runtime.RuntimeRecord) bool {
	return len(r.accepts) == 0 || slices.Contains(r.accepts, record.Status)
}

func (r *selectedRun) actionLine(v runtime.VersionedRecord) string {
	state := "new"
	if v.Record.Status != "" {
		state = fmt.Sprintf("now %s%s, revision %d", v.Record.Status, output.OnNode(v.Record), v.Revision)
	}
	return fmt.Sprintf("%s %s (dry run): %s", render.Value(v.Record.GameID), r.name, state)
}

package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// operateSelected runs the operation of each game, or of each game that the filters select.
func (a *app) operateSelected(cmd *cobra.Command, verb operationVerb, create newOperation, games []string, flags operationFlags) error {
	bulk := bulk{app: a, name: cmd.Name(), flags: &flags.selection, accepts: verb.accepts, isQuiet: flags.isQuiet}
	return a.withClient(httpclient.Config{WriteTimeout: outcomeTimeout}, func(client *httpclient.Client) error {
		return bulk.run(cmd.Context(), client, games, func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error) {
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
		sum := sha256.Sum256([]byte(gameID))
		origin.OperationID = operationID + "-" + hex.EncodeToString(sum[:6])
	}
	return origin
}

// bulk is one run of a command for several games.
type bulk struct {
	app     *app
	name    string // of the command
	flags   *selection.Flags
	accepts []runtime.Status // see operationVerb
	isQuiet bool             // suppresses the summary of a run without failures

	tableRows []runtime.VersionedRecord // of tables, which are printed at the end
	errs      exit.MultiError
	done      int
}

// run selects the games, requires a confirmation, and calls act for each. act returns the
// resulting record, or nil if there is none.
func (b *bulk) run(ctx context.Context, client *httpclient.Client, games []string, act func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error)) error {
	games = selection.Unique(games)
	if b.flags.HasFilters() {
		records, err := b.list(ctx, client)
		if err != nil {
			return err
		}
		if len(records) == 0 {
			b.app.printMessagef(b.name, "no games match")
			return nil
		}
		if b.flags.IsDryRun {
			return b.listActions(records)
		}
		games = selection.IDs(records)
		if err := b.confirm(records); err != nil {
			return err
		}
	}
	if b.flags.IsDryRun {
		return b.dryRun(ctx, client, games)
	}
	notStarted := selection.Run(ctx, games, b.flags.MaxParallel, func(ctx context.Context, gameID string) (*runtime.VersionedRecord, error) {
		ctx, cancel := b.app.globals.withTimeout(ctx)
		defer cancel()
		return act(ctx, gameID)
	}, b.report)
	return b.finish(ctx, len(games), notStarted)
}

// list returns the records that the filters select, within --timeout or 30 seconds.
func (b *bulk) list(ctx context.Context, client *httpclient.Client) ([]runtime.VersionedRecord, error) {
	ctx, cancel := context.WithTimeout(ctx, b.app.globals.readTimeout())
	defer cancel()
	return b.flags.List(ctx, client)
}

// confirm requires a confirmation of a destructive command that selects games by filters.
func (b *bulk) confirm(records []runtime.VersionedRecord) error {
	if !b.flags.RequiresConfirmation() {
		return nil
	}
	return b.app.requireConfirmation(fmt.Sprintf("%s %s?", capitalize(b.name), render.Count(len(records), "game")), false)
}

func capitalize(text string) string { return strings.ToUpper(text[:1]) + text[1:] }

// report prints the result of one game.
func (b *bulk) report(result selection.Result[*runtime.VersionedRecord]) {
	err := result.Err
	if err == nil {
		b.done++
		err = b.print(result)
	}
	if err != nil {
		err = newCommandError([]string{b.name, render.Value(result.GameID)}, err)
		b.app.reporter().ReportLine(err)
		b.errs = append(b.errs, err)
	}
}

func (b *bulk) print(result selection.Result[*runtime.VersionedRecord]) error {
	if result.Value == nil {
		return nil
	}
	if b.isTable() {
		b.tableRows = append(b.tableRows, *result.Value)
		return nil
	}
	return b.app.printer().Records([]runtime.VersionedRecord{*result.Value}, operationSummary(operation.Kind(b.name)))
}

func (b *bulk) isTable() bool {
	format := output.Format(b.app.globals.output)
	return format == output.FormatTable || format == output.FormatWide
}

// finish prints the table and the summary, and returns the error of the run.
func (b *bulk) finish(ctx context.Context, total, notStarted int) error {
	var err error
	if len(b.tableRows) > 0 {
		err = b.app.printer().Records(b.tableRows, nil)
	}
	summary := fmt.Sprintf("%d of %s done", b.done, render.Count(total, "game"))
	if failed := len(b.errs); failed > 0 {
		summary += fmt.Sprintf(", %d failed", failed)
	}
	if notStarted > 0 {
		summary += fmt.Sprintf(", %d not attempted", notStarted)
	}
	switch {
	case ctx.Err() != nil:
		b.app.printMessagef(b.name, "interrupted: %s", summary)
		return ctx.Err()
	case len(b.errs) > 0:
		return exit.SummaryError{Summary: b.name + ": " + summary, Errs: append(b.errs, errorsOf(err)...)}
	case !b.isQuiet:
		b.app.printMessagef(b.name, "%s", summary)
	}
	return err
}

func errorsOf(err error) []error {
	if err == nil {
		return nil
	}
	return []error{err}
}

// dryRun reads the record of each game and lists what the command would do.
func (b *bulk) dryRun(ctx context.Context, client *httpclient.Client, games []string) error {
	found := map[string]runtime.VersionedRecord{}
	errs := map[string]error{}
	selection.Run(ctx, games, b.flags.MaxParallel, func(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
		ctx, cancel := b.app.globals.withTimeout(ctx)
		defer cancel()
		return client.GetVersioned(ctx, gameID)
	}, func(r selection.Result[runtime.VersionedRecord]) {
		if found[r.GameID] = r.Value; r.Err != nil {
			errs[r.GameID] = r.Err
		}
	})
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var records []runtime.VersionedRecord
	for _, gameID := range games {
		switch err := errs[gameID]; {
		case err == nil:
			records = append(records, found[gameID])
		case errors.Is(err, runtime.ErrNotFound) && len(b.accepts) == 0:
			records = append(records, runtime.VersionedRecord{Record: runtime.RuntimeRecord{GameID: gameID}})
		default:
			b.report(selection.Result[*runtime.VersionedRecord]{GameID: gameID, Err: err})
		}
	}
	return b.listActions(records)
}

// listActions prints what the command would do with the games.
func (b *bulk) listActions(records []runtime.VersionedRecord) error {
	accepted := slices.DeleteFunc(slices.Clone(records), func(v runtime.VersionedRecord) bool { return !b.isAccepted(v.Record) })
	if err := b.app.printer().Records(accepted, b.actionLine); err != nil {
		return err
	}
	for _, v := range records {
		if !b.isAccepted(v.Record) {
			err := &operation.RejectedError{GameID: v.Record.GameID, Operation: b.name, Status: v.Record.Status, Reason: "the game is " + string(v.Record.Status)}
			b.report(selection.Result[*runtime.VersionedRecord]{GameID: v.Record.GameID, Err: err})
		}
	}
	summary := fmt.Sprintf("dry run: %s, nothing was done", render.Count(len(accepted), "game"))
	if len(b.errs) > 0 {
		return exit.SummaryError{Summary: fmt.Sprintf("%s: %s; %d would fail", b.name, summary, len(b.errs)), Errs: b.errs}
	}
	b.app.printMessagef(b.name, "%s", summary)
	return nil
}

func (b *bulk) isAccepted(record runtime.RuntimeRecord) bool {
	return len(b.accepts) == 0 || slices.Contains(b.accepts, record.Status)
}

func (b *bulk) actionLine(v runtime.VersionedRecord) string {
	state := "new"
	if v.Record.Status != "" {
		state = fmt.Sprintf("now %s%s, revision %d", v.Record.Status, output.OnNode(v.Record), v.Revision)
	}
	return fmt.Sprintf("%s %s (dry run): %s", render.Value(v.Record.GameID), b.name, state)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/progress"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// outcomeTimeout is how long a command retries an operation whose daemon sends nothing.
const outcomeTimeout = time.Minute

// operationFlags are the flags of every operation.
type operationFlags struct {
	origin    flags.Origin
	selection selection.Flags
	isQuiet   bool
}

func (f *operationFlags) bind(cmd *cobra.Command) {
	f.origin.Bind(cmd)
	cmd.Flags().BoolVarP(&f.isQuiet, "quiet", "q", false, "suppress the progress, which only a terminal gets, and the summary")
}

// operationVerb is a command that runs one operation for each selected game.
type operationVerb struct {
	selection selection.Verb
	// accepts are the statuses of records that the operation is for; empty means all, and games
	// without a record.
	accepts []runtime.Status
	// prepare reads the flags, and settings from standard input, once. It returns a function that
	// creates the operation of one game. args are the arguments after --.
	prepare func(cmd *cobra.Command, args []string) (newOperation, error)
	// explain, if not nil, is the dry run for named games.
	explain func(ctx context.Context, client *httpclient.Client, o httpclient.Operation) error
	// hasArguments reports whether the command has arguments after --.
	hasArguments bool
}

// newOperation creates the operation of one game.
type newOperation func(ctx context.Context, gameID string) (httpclient.Operation, error)

// operationCommand completes a command that runs operations.
func (a *app) operationCommand(cmd *cobra.Command, verb operationVerb) *cobra.Command {
	var flags operationFlags
	flags.bind(cmd)
	flags.selection.Bind(cmd, verb.selection)
	cmd.ValidArgsFunction = a.completeGames
	cmd.Long += `

There is no timeout unless --timeout is given. The operation continues if the
command is interrupted or times out. The command gives up if the daemon sends
nothing for one minute.`
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		games, _ := verb.splitArguments(cmd, args, &flags)
		return flags.selection.CheckArguments(cmd.Name(), games)
	}
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		games, args := verb.splitArguments(cmd, args, &flags)
		games, err := a.selectGames(cmd.Context(), games)
		if err != nil {
			return err
		}
		create, err := verb.prepare(cmd, args)
		if err := errors.Join(err, flags.origin.Validate(), flags.selection.Validate(games)); err != nil {
			return err
		}
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		if len(games) == 1 && !flags.selection.IsDryRun {
			return a.operateOne(cmd, create, games[0], flags)
		}
		return a.operateSelected(cmd, verb, create, games, flags)
	})
	return cmd
}

// splitArguments splits the arguments into games and, of a command that has them, those after --.
// A game id that starts with a dash may be the first after the --.
func (v operationVerb) splitArguments(cmd *cobra.Command, args []string, flags *operationFlags) (games, rest []string) {
	dash := cmd.ArgsLenAtDash()
	switch {
	case !v.hasArguments || dash < 0:
		return args, nil
	case dash == 0 && len(args) > 0 && !flags.selection.HasFilters():
		dash = 1
	}
	return args[:dash], args[dash:]
}

// operateOne runs the operation of the only game, and reports its progress.
func (a *app) operateOne(cmd *cobra.Command, create newOperation, gameID string, flags operationFlags) error {
	o, err := create(cmd.Context(), gameID)
	if err != nil {
		return err
	}
	o.Origin = flags.origin.PortsOrigin(a.userName())
	if err := a.operate(cmd.Context(), o, flags.isQuiet); err != nil { // other arguments are not part of the name of the command
		return newCommandError([]string{cmd.Name(), render.Value(o.GameID)}, err)
	}
	return nil
}

// operate runs the operation and prints the resulting record.
func (a *app) operate(ctx context.Context, o httpclient.Operation, isQuiet bool) error {
	return a.withClient(httpclient.Config{WriteTimeout: outcomeTimeout}, func(client *httpclient.Client) error {
		ctx, cancel := a.globals.withTimeout(ctx)
		defer cancel()
		current, err := a.runOperation(ctx, client, o, isQuiet)
		if err != nil || current == nil {
			return err
		}
		return a.printer().Records([]runtime.VersionedRecord{*current}, operationSummary(o.Kind))
	})
}

// runOperation runs the operation and returns the resulting record, nil if there is none.
func (a *app) runOperation(ctx context.Context, client *httpclient.Client, o httpclient.Operation, isQuiet bool) (*runtime.VersionedRecord, error) {
	printer := progress.NewOperation(progress.OperationConfig{
		Out: a.streams.Err, Now: a.streams.Now, IsQuiet: isQuiet || !a.streams.IsErrTerminal,
	})
	result, err := client.RunOperation(ctx, o, printer.Report)
	printer.Close()
	var current *runtime.VersionedRecord
	if result.Record != nil {
		current = &runtime.VersionedRecord{Record: *result.Record, Revision: result.Revision}
	}
	if printer.HasStarted() && errors.Is(ctx.Err(), context.Canceled) && errors.Is(err, runtime.ErrOutcomeUnknown) {
		err = interruptedError{kind: o.Kind, cause: err}
	}
	if err == nil && o.Until == httpclient.WaitAccepted && result.Outcome == nil {
		return nil, a.printAccepted(result)
	}
	if err == nil {
		if result.Outcome != nil && result.Outcome.Unchanged {
			a.printMessagef(string(o.Kind), "nothing to do: %s has this image already", render.Value(o.GameID))
		}
		return current, nil
	}
	failed := exit.WriteError{Err: nameImageFlag(err), UnknownHint: a.continuationHint(o, printer.HasStarted())}
	if result.Outcome != nil {
		failed.Current = current
	}
	return nil, failed
}

// printAccepted prints an operation that continues. It is safe for concurrent use.
func (a *app) printAccepted(result api.OperationResult) error {
	a.acceptedMu.Lock()
	defer a.acceptedMu.Unlock()
	return a.printer().Accepted(result)
}

// operationSummary returns the function that describes a record after an operation, on one line.
func operationSummary(kind operation.Kind) func(runtime.VersionedRecord) string {
	return func(v runtime.VersionedRecord) string {
		return fmt.Sprintf("%s %s: %s%s, revision %d", render.Value(v.Record.GameID), kind, v.Record.Status, output.OnNode(v.Record), v.Revision)
	}
}

// interruptedError is the error of a command that the user interrupted while it waited for
// an operation. It matches the errors of its cause.
type interruptedError struct {
	kind  operation.Kind
	cause error
}

func (e interruptedError) Error() string { return fmt.Sprintf("interrupted; the %s continues", e.kind) }

func (e interruptedError) Unwrap() error { return e.cause }

// nameImageFlag names --image in an error of the daemon about the image.
func nameImageFlag(err error) error {
	var invalid *runtime.InvalidError
	if errors.As(err, &invalid) && invalid.Field == "image" {
		return flags.NameFlag(err, "--image")
	}
	return err
}

// continuationHint returns the hint for an operation that may continue without the command.
func (a *app) continuationHint(o httpclient.Operation, hasStarted bool) string {
	state := "may have started, and then continues"
	if hasStarted {
		state = "continues"
	}
	store := ""
	if a.globals.store != "" {
		store = " --store " + a.globals.store
	}
	return fmt.Sprintf("operation %s %s; `rtmanager explain%s %s` shows it, and the same command with --operation-id %s waits for it",
		render.ShellWord(o.Origin.OperationID), state, store, render.ShellWord(o.GameID), render.ShellWord(o.Origin.OperationID))
}

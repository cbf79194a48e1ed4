package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/progress"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/operation"
	"galaxy/rtmanager/internal/domain/runtime"
)

// outcomeTimeout is how long a command retries an operation whose daemon sends nothing.
const outcomeTimeout = time.Minute

// operationFlags are the flags of every operation.
type operationFlags struct {
	origin  flags.Origin
	isQuiet bool
}

func (f *operationFlags) bind(cmd *cobra.Command) {
	f.origin.Bind(cmd)
	cmd.Flags().BoolVarP(&f.isQuiet, "quiet", "q", false, "suppress progress output")
}

// operationCommand completes a command that runs an operation: newOperation creates the
// operation from the command's own flags.
func (a *app) operationCommand(cmd *cobra.Command, newOperation func(cmd *cobra.Command, args []string) (httpclient.Operation, error)) *cobra.Command {
	var flags operationFlags
	flags.bind(cmd)
	cmd.ValidArgsFunction = a.completeGame
	cmd.Long += `

There is no timeout unless --timeout is given. The operation continues if the
command is interrupted or times out. The command gives up if the daemon sends
nothing for one minute.`
	if cmd.Args == nil {
		cmd.Args = requireOneGame
	}
	cmd.RunE = a.runE(func(cmd *cobra.Command, args []string) error {
		gameID, err := a.selectGame(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		args = slices.Concat([]string{gameID}, args[1:])
		o, err := newOperation(cmd, args)
		if err != nil {
			return err
		}
		if err := flags.origin.Validate(); err != nil {
			return err
		}
		if err := runtime.ValidateGameID(o.GameID); err != nil {
			return err
		}
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		o.Origin = flags.origin.PortsOrigin(a.userName())
		err = a.operate(cmd.Context(), o, flags.isQuiet)
		if err != nil { // the arguments of the game are not part of the name of the command
			return newCommandError([]string{cmd.Name(), render.Value(o.GameID)}, err)
		}
		return nil
	})
	return cmd
}

// operate runs the operation and prints the resulting record.
func (a *app) operate(ctx context.Context, o httpclient.Operation, isQuiet bool) error {
	return a.withClient(httpclient.Config{WriteTimeout: outcomeTimeout}, func(client *httpclient.Client) error {
		ctx, cancel := a.globals.withTimeout(ctx)
		defer cancel()
		printer := progress.NewOperation(progress.OperationConfig{
			Out: a.streams.Err, Now: a.streams.Now, IsTerminal: a.streams.IsErrTerminal, IsQuiet: isQuiet,
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
		if err != nil {
			failed := exit.WriteError{Err: nameImageFlag(err), UnknownHint: a.continuationHint(o, printer.HasStarted())}
			if result.Outcome != nil {
				failed.Current = current
			}
			return failed
		}
		if current == nil {
			return nil
		}
		return a.printer().Records([]runtime.VersionedRecord{*current}, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s %s: %s%s, revision %d", render.Value(o.GameID), o.Kind, v.Record.Status, output.OnNode(v.Record), v.Revision)
		})
	})
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

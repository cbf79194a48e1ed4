package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
)

// learnTime is how long it is tried to learn what came of an operation of which
// nothing is heard any more.
const learnTime = time.Minute

// operationFlags are those of every operation.
type operationFlags struct {
	origin originFlags
	quiet  bool
}

func (f *operationFlags) bind(cmd *cobra.Command) {
	f.origin.bind(cmd)
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "say nothing of how it is coming along")
}

// operationCommand completes a verb that carries out an operation: plan makes the
// operation of the game from the verb's own flags.
func (a *app) operationCommand(cmd *cobra.Command, plan func(cmd *cobra.Command, args []string) (httpclient.Operation, error)) *cobra.Command {
	var flags operationFlags
	flags.bind(cmd)
	cmd.ValidArgsFunction = a.completeGame
	cmd.Long += `

It waits as long as that takes, if --timeout is not given; what is begun goes on when
it leaves. A daemon of which nothing is heard for a minute is waited for no longer.`
	if cmd.Args == nil {
		cmd.Args = oneGame
	}
	cmd.RunE = a.verb(func(cmd *cobra.Command, args []string) error {
		o, err := plan(cmd, args)
		if err != nil {
			return err
		}
		if err := flags.origin.check(); err != nil {
			return err
		}
		if err := runtime.ValidateGameID(o.GameID); err != nil {
			return err
		}
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0 // an operation takes as long as it takes
		}
		o.Origin = a.origin(flags.origin)
		return a.operate(cmd.Context(), o, flags.quiet)
	})
	return cmd
}

// operate has the operation carried out and prints the record that it left.
func (a *app) operate(ctx context.Context, o httpclient.Operation, quiet bool) error {
	return a.withClient(ctx, httpclient.Config{WriteTimeout: learnTime}, func(ctx context.Context, client *httpclient.Client) error {
		ctx, cancel := a.globals.bounded(ctx)
		defer cancel()
		talk := a.progress(quiet)
		answer, err := client.RunOperation(ctx, o, talk.report)
		talk.end()
		if err != nil {
			failed := writeError{err: err, unknown: goesOn(o, talk.begun())}
			if answer.Outcome != nil && answer.Record != nil {
				failed.left = &runtime.VersionedRecord{Record: *answer.Record, Revision: answer.Revision}
			}
			return failed
		}
		if answer.Record == nil {
			return nil
		}
		return a.printRecords([]runtime.VersionedRecord{{Record: *answer.Record, Revision: answer.Revision}}, func(v runtime.VersionedRecord) string {
			return fmt.Sprintf("%s %s: %s%s, revision %d", plain(o.GameID), o.Kind, v.Record.Status, onNode(v.Record), v.Revision)
		})
	})
}

// onNode says where a game is, if its record does.
func onNode(record runtime.RuntimeRecord) string {
	if record.Node == "" {
		return ""
	}
	return " on " + plain(record.Region+"/"+record.Node)
}

// goesOn is what to do about an operation that was left before it had ended.
func goesOn(o httpclient.Operation, begun bool) string {
	state := "may have been begun, and then goes on"
	if begun {
		state = "goes on"
	}
	return fmt.Sprintf("operation %s %s; `rtmanager explain %s` shows it, and the same command with --operation-id %s waits for it",
		shellWord(o.Origin.OperationID), state, shellWord(o.GameID), shellWord(o.Origin.OperationID))
}

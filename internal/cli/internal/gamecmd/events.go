package gamecmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/domain/gameevent"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type eventFlags struct {
	types, regions, nodes, selectors []string

	since  int64
	resync bool
}

func (c commands) eventsCommand() *cobra.Command {
	var flagged eventFlags
	cmd := &cobra.Command{
		Use:   "events [GAME]",
		Short: "Stream what happens to games: operations, statuses, health, nodes",
		Long: `Events shows what happens from now on, until it is interrupted (exit code 130): operations
that start and finish with their results, changes of status, health and readiness,
restarts after crashes, crash loops, lost nodes, moves, new images and labels. With
--since it shows what has happened after a revision, as far as the store keeps its
history. If the daemon is restarted, events reconnects and misses nothing. With --timeout
it ends after that time (exit code 124).

The events are derived from the records; "rtmanager watch" shows the records themselves.
An operation that ends within 100 ms has only its change of status. What is in no record,
such as a container that a node finds, is no event: see "rtmanager drift".

In a pipe the columns are separated by tabs. With -o json each line is one event of the
API; last is set on the last event of a revision, the value for --since.`,
		Example: `  rtmanager events
  rtmanager events game-1 --since 1042
  rtmanager events --type operation_finished,crash_loop,node_lost -o json
  rtmanager events -l env=prod --region eu`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("events accepts one GAME, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: c.CompleteGame,
	}
	var types []string
	for _, t := range gameevent.Types() {
		types = append(types, string(t))
	}
	cmd.Flags().StringSliceVar(&flagged.types, "type", nil, "only events of this `TYPE`; several are separated by commas")
	cmd.Flags().StringSliceVar(&flagged.regions, "region", nil, "only games of this `REGION`; several are separated by commas")
	cmd.Flags().StringSliceVar(&flagged.nodes, "node", nil, "only games of this `NODE`; several are separated by commas")
	flags.BindSelector(cmd, &flagged.selectors)
	cmd.Flags().Int64Var(&flagged.since, "since", 0, "show the events after revision `N`; 0 starts now")
	cmd.Flags().BoolVar(&flagged.resync, "resync", false, "continue if the store has no history of the revision any more; events are missing then")
	_ = cmd.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(types, cobra.ShellCompDirectiveNoFileComp))
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		options, err := flagged.options()
		if err != nil {
			return exit.UsageError{Err: err}
		}
		if len(args) == 1 {
			if options.GameID, err = c.SelectGame(cmd.Context(), args[0]); err != nil {
				return err
			}
		}
		c.RemoveTimeout(cmd)
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			return c.printEvents(ctx, client, options)
		})
	})
	return cmd
}

func (f eventFlags) options() (httpclient.EventOptions, error) {
	options := httpclient.EventOptions{FromRevision: f.since, Resync: f.resync, Filter: ports.RecordFilter{Regions: f.regions, Nodes: f.nodes}}
	var errs []error
	if f.since < 0 {
		errs = append(errs, &runtime.InvalidError{Field: "--since", Reason: fmt.Sprintf("is %d; it must not be negative", f.since)})
	}
	for _, name := range f.types {
		t, err := gameevent.ParseType("--type", name)
		options.Types, errs = append(options.Types, t), append(errs, err)
	}
	var err error
	options.Filter.Labels, err = flags.ParseSelector(f.selectors)
	return options, errors.Join(append(errs, err)...)
}

// printEvents prints the events until the stream ends. It flushes after each revision.
func (c commands) printEvents(ctx context.Context, client *httpclient.Client, options httpclient.EventOptions) error {
	buffered := bufio.NewWriter(c.Out)
	printer := c.Printer().GameEvents(buffered)
	for event, err := range client.Events(ctx, options) {
		var corrupt *runtime.CorruptError
		switch {
		case errors.As(err, &corrupt) && event.Revision != 0:
			fmt.Fprintf(c.Err, "rtmanager: events: %v\n", corrupt)
			continue
		case errors.Is(err, runtime.ErrCompacted):
			return errors.Join(exit.HintError{Err: err, Hint: "the store has no history of the revision any more: omit --since, or add --resync"}, buffered.Flush())
		case err != nil:
			return errors.Join(err, buffered.Flush())
		}
		if err := printer.Print(event); err != nil {
			return err
		}
		if event.Last || event.Type == api.TypeResync {
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
	}
	return buffered.Flush()
}

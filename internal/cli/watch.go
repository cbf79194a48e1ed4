package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type watchFlags struct {
	filter       flags.Filter
	game         string
	fromRevision int64
	resync       bool
}

func (a *app) watchCommand() *cobra.Command {
	var flags watchFlags
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Stream every change of every record",
		Long: `Watch shows the current records and then every change of every record, in order and
once, until it is interrupted (exit code 130). With --from-revision it shows the
changes after that revision instead. If the daemon is restarted, watch reconnects and
misses nothing. With --timeout it ends after that time (exit code 124).

With a filter, watch also shows the change by which a record stops matching. If the
revision to resume from has been compacted, is in the future or belongs to another
store, the watch ends with an error, or with --resync restarts with a snapshot.

On a terminal a change is one line, such as "running → stopped". In a pipe the columns
are separated by tabs and are TIME, REVISION, EVENT, GAME, FROM, TO, CONTAINER and
NODE. With -o json each line is one event of the API.`,
		Example: `  rtmanager watch
  rtmanager watch --status running --region eu
  rtmanager watch -l env=prod
  rtmanager watch --from-revision 1042 -o json
  rtmanager watch --no-headers | awk -F '\t' '$6 == "stopped" { print $4 }'`,
		Args: requireNoArguments,
	}
	cmd.Flags().Int64Var(&flags.fromRevision, "from-revision", 0, "show the changes after revision `N`; 0 starts with the current records")
	cmd.Flags().BoolVar(&flags.resync, "resync", false, "restart with a snapshot if the watch cannot continue from the revision")
	cmd.Flags().StringVar(&flags.game, "game", "", "only this `GAME`")
	flags.filter.Bind(cmd)
	_ = cmd.RegisterFlagCompletionFunc("game", func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return a.completeGame(cmd, nil, prefix)
	})
	cmd.RunE = a.runE(func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
		}
		if flags.game != "" {
			var err error
			if flags.game, err = a.selectGame(cmd.Context(), flags.game); err != nil {
				return err
			}
		}
		return a.watch(cmd.Context(), flags)
	})
	return cmd
}

func (a *app) watch(ctx context.Context, flags watchFlags) error {
	options, err := flags.options()
	if err != nil {
		return err
	}
	ctx, cancel := a.globals.withTimeout(ctx)
	defer cancel()
	connection := &connectionMessages{app: a}
	return a.withClient(httpclient.Config{
		OnReconnect: connection.reportLost,
		OnOpen:      connection.reportRestored,
	}, func(client *httpclient.Client) error { return a.printEvents(ctx, client, options) })
}

// printEvents prints the events of a watch until it ends. It flushes after each revision.
func (a *app) printEvents(ctx context.Context, client *httpclient.Client, options ports.WatchOptions) error {
	buffered := bufio.NewWriter(a.streams.Out)
	printer := a.printer().Events(buffered)
	for event, err := range client.Watch(ctx, options) {
		var corrupt *runtime.CorruptError
		switch {
		case errors.As(err, &corrupt) && event.Revision != 0:
			if err := buffered.Flush(); err != nil {
				return err
			}
			a.reportCorruptValue(corrupt)
			continue
		case err != nil:
			return errors.Join(endOfWatch(err), buffered.Flush())
		}
		if err := printer.Print(event); err != nil {
			return err
		}
		if event.Last {
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// endOfWatch returns the error that ended a watch. A watch that lasted until --timeout has no advice.
func endOfWatch(err error) error {
	if errors.Is(err, context.DeadlineExceeded) {
		return exit.HintError{Err: err}
	}
	return err
}

func (f watchFlags) options() (ports.WatchOptions, error) {
	filter, err := f.filter.Filter()
	if f.fromRevision < 0 {
		err = errors.Join(err, &runtime.InvalidError{Field: "--from-revision", Reason: fmt.Sprintf("is %d; it must not be negative", f.fromRevision)})
	}
	return ports.WatchOptions{FromRevision: f.fromRevision, Resync: f.resync, RecordFilter: filter, GameID: f.game}, err
}

// connectionMessages prints a message when the connection is lost and one when it is
// restored. The goroutine of the watch calls both methods.
type connectionMessages struct {
	app       *app
	lostSince time.Time // zero while there is a connection
}

func (c *connectionMessages) reportLost(_ error, fromRevision int64) {
	if !c.lostSince.IsZero() {
		return
	}
	c.lostSince = c.app.streams.Now()
	position := fmt.Sprintf("from revision %d", fromRevision)
	if fromRevision == 0 {
		position = "with a new snapshot"
	}
	c.app.printMessagef("watch", "connection lost; reconnecting to resume %s", position)
}

func (c *connectionMessages) reportRestored() {
	if c.lostSince.IsZero() {
		return
	}
	c.app.printMessagef("watch", "reconnected after %s", render.Age(c.app.streams.Now().Sub(c.lostSince)))
	c.lostSince = time.Time{}
}

package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

type watchFlags struct {
	filter recordFilter
	game   string
	from   int64
	resync bool
}

func (a *app) watchCommand() *cobra.Command {
	var flags watchFlags
	cmd := &cobra.Command{
		Use:   "watch",
		Short: "Show every change of every record, as it happens",
		Long: `Watch shows the records as they are and then every change of every one of them,
in order and once, until it is interrupted (exit code 130). With --from-revision
it shows the changes after that revision instead. A daemon that goes away and
comes back is waited for, and nothing is missed. A --timeout that is given ends
it too (exit code 124).

With a filter, a game that leaves it is shown leaving. When the store has
forgotten what came after the revision, the watch ends with an error, or with
--resync starts over.

In a terminal a change is one line, such as "running → stopped". In a pipe the
columns are separated by tabs and are TIME, REVISION, EVENT, GAME, FROM, TO,
CONTAINER and NODE. With -o json each line is one event of the API.`,
		Example: `  rtmanager watch
  rtmanager watch --status running --region eu
  rtmanager watch --from-revision 1042 -o json
  rtmanager watch --no-headers | awk -F '\t' '$6 == "stopped" { print $4 }'`,
		Args: noArguments,
	}
	cmd.Flags().Int64Var(&flags.from, "from-revision", 0, "show what came after revision `N`; 0 begins with the records as they are")
	cmd.Flags().BoolVar(&flags.resync, "resync", false, "start over where the store has forgotten what followed")
	cmd.Flags().StringVar(&flags.game, "game", "", "only this `GAME`")
	flags.filter.bind(cmd)
	_ = cmd.RegisterFlagCompletionFunc("game", func(cmd *cobra.Command, _ []string, begun string) ([]string, cobra.ShellCompDirective) {
		return a.completeGame(cmd, nil, begun)
	})
	cmd.RunE = a.verb(func(cmd *cobra.Command, _ []string) error {
		if !cmd.Flags().Changed("timeout") {
			a.globals.timeout = 0
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
	ctx, cancel := a.globals.bounded(ctx)
	defer cancel()
	connection := &connectionTalk{app: a}
	client, err := a.globals.connect(httpclient.Config{
		OnReconnect: connection.lost,
		HTTPClient: &http.Client{
			Transport:     streamTransport{http.DefaultTransport.(*http.Transport).Clone(), connection.back},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	})
	if err != nil {
		return err
	}
	defer func() { _ = client.Close() }()
	buffered := bufio.NewWriter(a.streams.Out)
	printer := a.eventPrinter(buffered)
	for event, err := range client.Watch(ctx, options) {
		var corrupt *runtime.CorruptError
		switch {
		case errors.As(err, &corrupt) && event.Revision != 0:
			if err := buffered.Flush(); err != nil {
				return err
			}
			fmt.Fprintf(a.streams.Err, "rtmanager: damaged: key %q: %s\n", corrupt.Key, printable(corrupt.Reason))
			continue
		case err != nil:
			return errors.Join(err, buffered.Flush())
		}
		if err := printer.print(event); err != nil {
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

func (f watchFlags) options() (ports.WatchOptions, error) {
	status, err := f.filter.status()
	if f.from < 0 {
		err = errors.Join(err, &runtime.InvalidError{Field: "--from-revision", Reason: fmt.Sprintf("is %d; a revision is never negative", f.from)})
	}
	return ports.WatchOptions{
		FromRevision: f.from, Resync: f.resync, GameID: f.game,
		Status: status, Region: f.filter.region, Node: f.filter.node,
	}, err
}

// connectionTalk tells a person that the connection was lost and is back, once
// each. Both of its methods are called by the goroutine that watches.
type connectionTalk struct {
	app       *app
	lostSince time.Time // zero while there is a connection
}

func (c *connectionTalk) lost(_ error, fromRevision int64) {
	if !c.lostSince.IsZero() {
		return
	}
	c.lostSince = c.app.streams.Now()
	where := fmt.Sprintf("from revision %d", fromRevision)
	if fromRevision == 0 {
		where = "with a new snapshot"
	}
	fmt.Fprintf(c.app.streams.Err, "rtmanager: watch: lost the server, resuming %s when it is back\n", where)
}

func (c *connectionTalk) back() {
	if c.lostSince.IsZero() {
		return
	}
	fmt.Fprintf(c.app.streams.Err, "rtmanager: watch: the server is back after %s\n", age(c.app.streams.Now().Sub(c.lostSince)))
	c.lostSince = time.Time{}
}

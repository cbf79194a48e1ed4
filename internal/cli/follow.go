package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/output"
	"galaxy/rtmanager/internal/cli/internal/selection"
	"galaxy/rtmanager/internal/domain/runtime"
	"galaxy/rtmanager/internal/ports"
)

// bindFollow declares the flag of a command that can follow the changes of what it lists.
func bindFollow(cmd *cobra.Command, target *bool) {
	cmd.Flags().BoolVarP(target, "watch", "w", false, "then print each change until interrupted; -o json prints one record per line")
}

// prepareFollow removes the default timeout, which is one of a request, and rejects a backup.
func (a *app) prepareFollow(cmd *cobra.Command) error {
	if a.globals.backup != nil {
		return exit.UsageError{Err: errors.New("a backup does not change: --at and --watch exclude each other")}
	}
	if !cmd.Flags().Changed("timeout") {
		a.globals.timeout = 0
	}
	return nil
}

// follow prints the changes of the records that the filter selects, after the page, until ctx
// ends. It survives a restart of the daemon. If the changes after the revision of the page are
// not available any more, it continues with all current records.
func (a *app) follow(ctx context.Context, stream *output.RecordStream, page ports.Page, options ports.WatchOptions) error {
	ctx, cancel := a.globals.withTimeout(ctx)
	defer cancel()
	options.FromRevision, options.Resync = page.Revision, true
	if err := stream.Print(page.Records); err != nil {
		return err
	}
	connection := &connectionMessages{app: a}
	config := httpclient.Config{OnReconnect: connection.reportLost, OnOpen: connection.reportRestored}
	return a.withClient(config, func(client *httpclient.Client) error {
		for event, err := range client.Watch(ctx, options) {
			var corrupt *runtime.CorruptError
			switch {
			case errors.As(err, &corrupt) && event.Revision != 0:
				a.reportCorruptValue(corrupt)
				continue
			case err != nil:
				return errors.Join(endOfWatch(err), stream.Flush())
			}
			if err := stream.PrintEvent(event); err != nil {
				return err
			}
		}
		return nil
	})
}

// followGame prints the record of the game, and then its changes.
func (a *app) followGame(ctx context.Context, gameID string) error {
	var page ports.Page
	err := a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) (err error) {
		page.Records, page.Revision, err = selection.ListGames(ctx, client, []string{gameID})
		if err == nil && len(page.Records) == 0 {
			err = runtime.ErrNotFound
		}
		return err
	})
	if err != nil {
		return err
	}
	return a.follow(ctx, a.printer().RecordStream(), page, ports.WatchOptions{GameID: gameID})
}

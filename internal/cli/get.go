package cli

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/apiclient"
	"galaxy/rtmanager/internal/ports"
)

func (a *app) getCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "get GAME",
		Short: "Show one record",
		Long: `Get shows a game's record and the revision at which it was last changed.

With -o json or yaml the output is the record alone, in the form that put -f
reads back.`,
		Example: `  rtmanager get game-1
  rtmanager get game-1 -o yaml > game-1.yaml
  rtmanager get game-1 -o json | jq -r .current_container_id`,
		Args:              oneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			return a.get(cmd.Context(), args[0])
		}),
	}
}

func (a *app) get(ctx context.Context, gameID string) error {
	return a.call(ctx, func(ctx context.Context, client *apiclient.Client) error {
		found, err := client.GetVersioned(ctx, gameID)
		if err != nil {
			return err
		}
		if a.globals.output == "" {
			return a.describe(found).write(a.streams.Out, false, a.globals.painter())
		}
		return a.printRecords([]ports.VersionedRecord{found}, nil)
	})
}

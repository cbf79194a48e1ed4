package cli

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) getCommand() *cobra.Command {
	var consistency consistency
	cmd := &cobra.Command{
		Use:   "get GAME",
		Short: "Show one record",
		Long: `Get shows a game's record and the revision at which it was last changed.

With -o json or yaml the output is the record alone, in the form that put -f
reads back.

Linearizable, the default, shows everything that anybody was told is done. Local
is the daemon's own copy, which may be a moment old and can be had without etcd.`,
		Example: `  rtmanager get game-1
  rtmanager get game-1 -o yaml > game-1.yaml
  rtmanager get game-1 -o json | jq -r .current_container_id`,
		Args:              oneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
			local, err := consistency.local()
			if err != nil {
				return err
			}
			return a.get(cmd.Context(), args[0], local)
		}),
	}
	consistency.bind(cmd)
	return cmd
}

func (a *app) get(ctx context.Context, gameID string, local bool) error {
	return a.call(ctx, func(ctx context.Context, client *httpclient.Client) error {
		read := client.GetVersioned
		if local {
			read = func(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
				found, _, err := client.GetLocal(ctx, gameID)
				return found, err
			}
		}
		found, err := read(ctx, gameID)
		if err != nil {
			return err
		}
		if a.globals.output == "" {
			return a.describe(found).write(a.streams.Out, false, a.globals.painter())
		}
		return a.printRecords([]runtime.VersionedRecord{found}, nil)
	})
}

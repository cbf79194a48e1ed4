package cli

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/flags"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) getCommand() *cobra.Command {
	var consistency flags.Consistency
	cmd := &cobra.Command{
		Use:   "get GAME",
		Short: "Show one record",
		Long: `Get shows a game's record and the revision of its last change.

With -o json or yaml it prints the record with its revision, in the format that put -f
reads.

By default the read is linearizable: it includes every write that was acknowledged
before. With --consistency local it comes from the daemon's cache, which may be
slightly stale but works without etcd.`,
		Example: `  rtmanager get game-1
  rtmanager get game-1 -o yaml > game-1.yaml
  rtmanager get game-1 -o json | jq -r .current_container_id`,
		Args:              requireOneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			local, err := consistency.IsLocal()
			if err != nil {
				return err
			}
			gameID, err := a.selectGame(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.get(cmd.Context(), gameID, local)
		}),
	}
	consistency.Bind(cmd)
	return cmd
}

func (a *app) get(ctx context.Context, gameID string, isLocal bool) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		read := client.GetVersioned
		if isLocal {
			read = func(ctx context.Context, gameID string) (runtime.VersionedRecord, error) {
				found, _, err := client.GetLocal(ctx, gameID)
				return found, err
			}
		}
		found, err := read(ctx, gameID)
		if err != nil {
			return err
		}
		return a.printer().Record(found)
	})
}

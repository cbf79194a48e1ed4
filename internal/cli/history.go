package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (a *app) historyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "history GAME",
		Short: "Show a game's recent transitions, newest first",
		Long: `History shows the recent writes of a game's record: the time, the status before
and after, and the reason. The wide format adds the actor and the operation id.
The store keeps only the most recent entries.`,
		Example: `  rtmanager history game-1
  rtmanager history game-1 -o wide
  rtmanager history game-1 -o json | jq -r '.items[0].reason'`,
		Args:              requireOneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			gameID, err := a.selectGame(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.history(cmd.Context(), gameID)
		}),
	}
}

func (a *app) history(ctx context.Context, gameID string) error {
	return a.callDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		entries, err := client.History(ctx, gameID)
		corrupt := corruptValues(err)
		if err != nil && len(corrupt) == 0 {
			return err
		}
		if err := a.printer().History(gameID, entries, corrupt); err != nil {
			return err
		}
		return a.reportCorrupt(corrupt)
	})
}

// corruptValues returns the corrupt values in a joined error.
func corruptValues(err error) []*runtime.CorruptError {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var values []*runtime.CorruptError
	for _, one := range joined.Unwrap() {
		var corrupt *runtime.CorruptError
		if errors.As(one, &corrupt) {
			values = append(values, corrupt)
		}
	}
	return values
}

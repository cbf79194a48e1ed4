package cli

import (
	"context"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
)

func (a *app) explainCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "explain GAME",
		Short: "Describe a game's state and history",
		Long: `Explain shows on one page the current state of a game and how it got there: its
status and the reason for it, its node and whether that is present, the newest
entries of its history, the operation in progress, the results of recent ones, its
containers with their exit codes, its drift findings, and its last log lines.
Information that is not available is listed at the end.`,
		Example: `  rtmanager explain game-1
  rtmanager explain game-1 -o json | jq '.intent.recent[0].failure'`,
		Args:              requireOneGame,
		ValidArgsFunction: a.completeGame,
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			gameID, err := a.selectGame(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				return a.explain(ctx, client, gameID)
			})
		}),
	}
}

func (a *app) explain(ctx context.Context, client *httpclient.Client, gameID string) error {
	page, err := client.Explain(ctx, gameID)
	if err != nil {
		return err
	}
	printer := a.printer()
	if done, err := printer.Encode(page); done {
		return err
	}
	nodes, err := client.Nodes(ctx)
	if err != nil {
		return printer.Explanation(page, nil)
	}
	return printer.Explanation(page, &nodes)
}

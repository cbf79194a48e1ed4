package gamecmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/api"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/flags"
)

func (c commands) operationsCommand() *cobra.Command {
	var region, node string
	var isInProgress bool
	cmd := &cobra.Command{
		Use:   "operations [GAME]",
		Short: "List operations in progress, or the recent ones of a game",
		Long: `Operations lists the operations in progress of all games, oldest first: which node runs
each, since when, and its step as it is stored. With GAME it lists the operation in
progress of that game and its last 16, newest first.`,
		Example: `  rtmanager operations
  rtmanager operations --region eu
  rtmanager operations game-1 -o wide`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("operations takes at most one GAME, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: c.CompleteGame,
	}
	cmd.Flags().BoolVar(&isInProgress, "in-progress", false, "only operations in progress; without GAME there are no others")
	cmd.Flags().StringVar(&region, "region", "", "only operations of this `REGION`")
	cmd.Flags().StringVar(&node, "node", "", "only operations of this `NODE`; needs --region")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) (err error) {
		if node != "" && region == "" {
			return exit.UsageError{Err: errors.New("--node needs --region")}
		}
		gameID := ""
		if len(args) > 0 {
			if region != "" {
				return exit.UsageError{Err: errors.New("--region and --node cannot be combined with GAME")}
			}
			if gameID, err = c.SelectGame(cmd.Context(), args[0]); err != nil {
				return err
			}
		}
		return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
			if gameID == "" {
				found, err := client.OperationsInProgress(ctx, region, node)
				if err != nil {
					return err
				}
				return c.Printer().Operations(found)
			}
			found, err := client.GameOperations(ctx, gameID)
			if err != nil {
				return err
			}
			if isInProgress {
				found = onlyInProgress(found)
			}
			return c.Printer().Operations(found)
		})
	})
	return cmd
}

// onlyInProgress returns the operations that have not ended.
func onlyInProgress(operations api.OperationList) api.OperationList {
	kept := api.OperationList{Items: []api.OperationResource{}}
	for _, o := range operations.Items {
		if o.Outcome == nil {
			kept.Items = append(kept.Items, o)
		}
	}
	return kept
}

func (c commands) operationCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "operation COMMAND",
		Short: "Show and cancel one operation",
		Long: `Operation shows one operation by its id, or cancels it. The id is printed by "start",
"operations" and "explain", and is the idempotency key of its request.`,
		Example: `  rtmanager operation get 01JZX5C3
  rtmanager operation cancel 01JZX5C3 --reason "wrong image"`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return fmt.Errorf("operation has no command %q; use get or cancel", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.getOperationCommand(), c.cancelOperationCommand())
	return cmd
}

func (c commands) getOperationCommand() *cobra.Command {
	var game string
	cmd := &cobra.Command{
		Use:   "get ID",
		Short: "Show an operation",
		Long: `Get shows an operation in progress, or one of the last 16 of its game, until the game is
deleted. --game is required if several games have an operation with this id.`,
		Example: `  rtmanager operation get 01JZX5C3
  rtmanager operation get 01JZX5C3 --game game-1 -o json`,
		Args: requireOneID, ValidArgsFunction: completeNothing,
	}
	c.bindGame(cmd, &game)
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		return c.withOperation(cmd, game, func(ctx context.Context, client *httpclient.Client, gameID string) (api.OperationResource, error) {
			return client.Operation(ctx, args[0], gameID)
		})
	})
	return cmd
}

func (c commands) cancelOperationCommand() *cobra.Command {
	var game, reason string
	cmd := &cobra.Command{
		Use:   "cancel ID",
		Short: "Cancel an operation in progress",
		Long: `Cancel rolls back a start, restart or patch in progress: a container that it has created
is removed, and the previous one is restored. The request of the operation fails with
the code canceled. Cancel returns when the rollback has started.

A stop and a cleanup cannot be undone: start the game after them. To end a game
instead, use "stop", which preempts the operation.`,
		Example: `  rtmanager operation cancel 01JZX5C3
  rtmanager operation cancel 01JZX5C3 --game game-1 --reason "wrong image"`,
		Args: requireOneID, ValidArgsFunction: completeNothing,
	}
	c.bindGame(cmd, &game)
	cmd.Flags().StringVar(&reason, "reason", "", "reason to record in the outcome of the operation")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		origin := flags.Origin{Reason: reason}
		if err := origin.Validate(); err != nil {
			return exit.UsageError{Err: err}
		}
		return c.withOperation(cmd, game, func(ctx context.Context, client *httpclient.Client, gameID string) (api.OperationResource, error) {
			return client.CancelOperation(ctx, args[0], gameID, origin.PortsOrigin(c.UserName()))
		})
	})
	return cmd
}

func (c commands) bindGame(cmd *cobra.Command, game *string) {
	cmd.Flags().StringVar(game, "game", "", "the `GAME` of the operation; required if several games have an operation with this id")
	_ = cmd.RegisterFlagCompletionFunc("game", func(cmd *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return c.CompleteGame(cmd, nil, prefix)
	})
}

// completeNothing completes no argument, in particular no file name.
func completeNothing(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveNoFileComp
}

// withOperation prints the operation that call returns.
func (c commands) withOperation(cmd *cobra.Command, game string, call func(ctx context.Context, client *httpclient.Client, gameID string) (api.OperationResource, error)) (err error) {
	if game != "" {
		if game, err = c.SelectGame(cmd.Context(), game); err != nil {
			return err
		}
	}
	return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		found, err := call(ctx, client, game)
		if err != nil {
			return err
		}
		return c.Printer().Operation(found)
	})
}

// requireOneID requires exactly one argument, the id of an operation.
func requireOneID(cmd *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" {
		return fmt.Errorf("%s requires one operation ID, got %d arguments", cmd.Name(), len(args))
	}
	return nil
}

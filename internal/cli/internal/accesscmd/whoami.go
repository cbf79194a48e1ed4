package accesscmd

import (
	"context"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/host"
	"galaxy/rtmanager/internal/domain/access"
	"galaxy/rtmanager/internal/domain/runtime"
)

func (c commands) whoamiCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "whoami",
		Short: "Show the proven identity of the caller, and its roles",
		Long: `Whoami shows the subject and the groups that the daemon derives from the credentials of
this client, how they were proven and until when, and the roles.`,
		Example: `  rtmanager whoami
  rtmanager whoami -o json | jq -r .subject`,
		Args: host.RequireNoArguments,
		RunE: c.RunE(func(cmd *cobra.Command, _ []string) error {
			return c.CallDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
				identity, err := client.Identity(ctx)
				if err != nil {
					return err
				}
				return c.Printer().Identity(identity)
			})
		}),
	}
}

func (c commands) canICommand() *cobra.Command {
	var question httpclient.Question
	verbs := slices.Concat([]string{"read", "operate", "exec", "admin"}, []string{"start", "stop", "restart", "patch", "cleanup", "delete", "put", "set-status"})
	cmd := &cobra.Command{
		Use:   "can-i VERB [GAME]",
		Short: "Report whether the caller has a permission",
		Long: `Can-i reports whether the caller, or with --as another subject, may do something, and changes
nothing. It prints yes and exits with 0, or prints no and exits with 1.

VERB is read, operate, exec or admin, or a command such as stop. Without GAME the question is
whether it is permitted for any game, and with --region, for any game of the region. --as does
not know the groups of the subject, and only administrators may use it.`,
		Example: `  rtmanager can-i stop chess-17
  rtmanager can-i start chess-18 --region eu
  rtmanager can-i admin --as token:ci`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 && len(args) != 2 {
				return fmt.Errorf("can-i requires a VERB and takes a GAME, got %d arguments", len(args))
			}
			return nil
		},
		ValidArgsFunction: func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return verbs, cobra.ShellCompDirectiveNoFileComp
			case 1:
				return c.CompleteGame(cmd, nil, prefix)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
	}
	cmd.Flags().StringVar(&question.Region, "region", "", "the `REGION` of the game")
	cmd.Flags().StringVar(&question.Subject, "as", "", "the `SUBJECT` to report about, such as token:ci")
	cmd.RunE = c.RunE(func(cmd *cobra.Command, args []string) error {
		question.Verb = args[0]
		if len(args) == 2 {
			question.GameID = args[1]
		}
		return c.canI(cmd.Context(), question)
	})
	return cmd
}

func (c commands) canI(ctx context.Context, question httpclient.Question) error {
	if _, err := access.ParsePermission(question.Verb); err != nil {
		return exit.UsageError{Err: err}
	}
	if question.GameID != "" {
		if err := runtime.ValidateGameID(question.GameID); err != nil {
			return exit.UsageError{Err: err}
		}
	}
	return c.CallDaemon(ctx, func(ctx context.Context, client *httpclient.Client) error {
		decision, err := client.Decide(ctx, question)
		if err != nil {
			return err
		}
		if err := c.Printer().Decision(decision); err != nil {
			return err
		}
		if !decision.Allowed {
			return exit.ErrNegative
		}
		return nil
	})
}

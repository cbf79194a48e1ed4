package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/cli/internal/exit"
	"galaxy/rtmanager/internal/cli/internal/render"
	"galaxy/rtmanager/internal/ports"
)

// completionTimeout is how long a shell may wait for the daemon.
const completionTimeout = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Print the completion script of a shell",
		Long: `Completion prints a script that lets the shell complete commands, flags, statuses
and, by a request to the daemon, game ids.`,
		Example: `  source <(rtmanager completion bash)
  rtmanager completion zsh > "${fpath[1]}/_rtmanager"
  rtmanager completion fish > ~/.config/fish/completions/rtmanager.fish
  rtmanager completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("completion requires one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: a.runE(func(cmd *cobra.Command, args []string) error {
			root, out := cmd.Root(), a.streams.Out
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(out, true)
			case "zsh":
				return root.GenZshCompletion(out)
			case "fish":
				return root.GenFishCompletion(out, true)
			case "powershell":
				return root.GenPowerShellCompletionWithDesc(out)
			}
			return exit.UsageError{Err: fmt.Errorf("unsupported shell; use one of %s", strings.Join(shells, ", "))}
		}),
	}
}

// completeGame completes game ids, if the daemon responds in time. It omits ids that a
// shell would have to quote.
func (a *app) completeGame(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.globals.timeout = completionTimeout
	var ids []string
	_ = a.callDaemon(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		page, err := client.ListPage(ctx, ports.PageQuery{Limit: ports.MaxPageLimit})
		for _, v := range page.Records {
			id := v.Record.GameID
			if strings.HasPrefix(id, prefix) && render.ShellWord(id) == id {
				ids = append(ids, cobra.CompletionWithDesc(id, string(v.Record.Status)))
			}
		}
		return err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp
}

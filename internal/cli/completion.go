package cli

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"galaxy/rtmanager/internal/adapters/httpclient"
	"galaxy/rtmanager/internal/ports"
)

// completionPatience is how long a shell may wait for the daemon.
const completionPatience = 500 * time.Millisecond

func (a *app) completionCommand() *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	return &cobra.Command{
		Use:   "completion bash|zsh|fish|powershell",
		Short: "Write the completion script of a shell",
		Long: `Completion writes a script that lets the shell complete verbs, flags, statuses
and, by asking the daemon, game ids.`,
		Example: `  source <(rtmanager completion bash)
  rtmanager completion zsh > "${fpath[1]}/_rtmanager"
  rtmanager completion fish > ~/.config/fish/completions/rtmanager.fish
  rtmanager completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("completion wants one shell: %s", strings.Join(shells, ", "))
			}
			return nil
		},
		RunE: a.verb(func(cmd *cobra.Command, args []string) error {
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
			return usageError{err: fmt.Errorf("there is none; use one of %s", strings.Join(shells, ", "))}
		}),
	}
}

// completeGame offers the ids of games, as far as the daemon tells them soon
// enough. Ids that a shell would have to quote are left out.
func (a *app) completeGame(cmd *cobra.Command, args []string, begun string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	a.globals.timeout = completionPatience
	var ids []string
	_ = a.call(cmd.Context(), func(ctx context.Context, client *httpclient.Client) error {
		page, err := client.ListPage(ctx, ports.PageQuery{Limit: ports.MaxPageLimit})
		for _, v := range page.Records {
			id := v.Record.GameID
			if strings.HasPrefix(id, begun) && shellWord(id) == id {
				ids = append(ids, cobra.CompletionWithDesc(id, string(v.Record.Status)))
			}
		}
		return err
	})
	return ids, cobra.ShellCompDirectiveNoFileComp
}
